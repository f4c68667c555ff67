package bench

import (
	"os/exec"
	"strings"
	"testing"
)

// TestRunPeer: a peer counts only if it does the same as the machine.
func TestRunPeer(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	for script, want := range map[string]string{
		"echo 1234 0.25001 peer 1.0": "",
		"echo 1234 0.26 peer 1.0":    "it does something else",
		"echo nonsense":              "it printed",
		"echo no module >&2; exit 3": "no module",
		"echo x 0.25 peer 1.0":       "invalid syntax",
	} {
		peer := PeerTime{Nanos: 2000}
		err := run(exec.Command("sh", "-c", script), &peer, 0.25)
		if want == "" && (err != nil || peer.Nanos != 1234 || peer.Version != "peer 1.0") {
			t.Errorf("%q: %+v, %v", script, peer, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: error %v, want %q", script, err, want)
		}
	}
}
