package memory

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// limits returns what bounds the memory of this process.
func limits() []Limit {
	var l []Limit
	root := os.DirFS("/")
	size, resident := statm(root)
	for resource, why := range map[int]string{syscall.RLIMIT_AS: "ulimit -v", syscall.RLIMIT_DATA: "ulimit -d"} {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(resource, &r); err == nil && r.Cur < math.MaxInt64 {
			used := size
			if resource == syscall.RLIMIT_DATA {
				used = resident
			}
			l = append(l, Limit{int64(r.Cur) - used, why})
		}
	}
	if c := cgroup(root); c < math.MaxInt64 {
		l = append(l, Limit{c - resident, "the limit of its control group"})
	}
	return append(l, free(root)...)
}

// statm returns the size of this process's address space and the part in memory, in
// bytes.
func statm(root fs.FS) (size, resident int64) {
	text, _ := fs.ReadFile(root, "proc/self/statm")
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, 0
	}
	size, _ = strconv.ParseInt(string(fields[0]), 10, 64)
	resident, _ = strconv.ParseInt(string(fields[1]), 10, 64)
	page := int64(os.Getpagesize())
	return size * page, resident * page
}

// free returns the memory of the computer that processes can get without others losing
// theirs, swap included.
func free(root fs.FS) []Limit {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return nil
	}
	var total int64
	found := false
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) >= 2 && (fields[0] == "MemAvailable:" || fields[0] == "SwapFree:") {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			total += n << 10
			found = found || err == nil && fields[0] == "MemAvailable:"
		}
	}
	if !found {
		return nil
	}
	return []Limit{{total, "the free memory of this computer"}}
}

// cgroup returns the lowest limit of the control groups, of version 1 or 2, that this
// process is in; math.MaxInt64 if there is none.
func cgroup(root fs.FS) int64 {
	lowest := int64(math.MaxInt64)
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		at, file := "sys/fs/cgroup", "memory.max"
		if parts[0] != "0" || parts[1] != "" { // version 1
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			at, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// In a container the path may be that on the host; then the group is the
		// root of what is seen here.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if text, err := fs.ReadFile(root, path.Join(at, group, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
					lowest = min(lowest, n)
				}
			}
			if group == "/" {
				break
			}
		}
	}
	return lowest
}
