package serve

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// guard decides which requests are answered. Any page that a browser shows can have it
// send requests to this server; the guard keeps them apart from those of our page:
//
//   - The host that is asked for is an address, localhost, or a name of this server.
//     Otherwise a page of another host could give its name our address (DNS
//     rebinding), and would be of the same origin as ours.
//   - A request that changes something comes from our page, or from no page at all
//     (http.CrossOriginProtection).
type guard struct {
	hosts []string
	cross *http.CrossOriginProtection
}

// newGuard makes a guard that knows the names of this computer, and hosts.
func newGuard(hosts []string) guard {
	g := guard{hosts: []string{"localhost"}, cross: http.NewCrossOriginProtection()}
	if name, err := os.Hostname(); err == nil && name != "" {
		hosts = append(slices.Clone(hosts), name, name+".local")
	}
	for _, h := range hosts {
		if h = strings.ToLower(strings.TrimSuffix(h, ".")); h != "" {
			g.hosts = append(g.hosts, h)
		}
	}
	return g
}

// knows reports whether the header Host names this server, on any port: it may be
// reached through a tunnel.
func (g guard) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if _, err := netip.ParseAddr(name); err == nil { // an address cannot be given to another host
		return true
	}
	return slices.Contains(g.hosts, strings.ToLower(strings.TrimSuffix(name, ".")))
}

// The policies say what a page may load: ours, files of this server only; a report,
// nothing but what is in it.
const (
	pagePolicy   = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
	reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// protect returns h behind the guard.
func (g guard) protect(h http.Handler) http.Handler {
	h = g.cross.Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, field := range [][2]string{
			{"Content-Security-Policy", pagePolicy},
			{"X-Content-Type-Options", "nosniff"},
			{"X-Frame-Options", "DENY"},
			{"Referrer-Policy", "no-referrer"},
			{"Cross-Origin-Opener-Policy", "same-origin"},
			{"Cross-Origin-Resource-Policy", "same-origin"},
			{"Cache-Control", "no-store"},
		} {
			w.Header().Set(field[0], field[1])
		}
		if !g.knows(r.Host) {
			http.Error(w, "this server is not known by that name: ask for it by its address, or as localhost", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}
