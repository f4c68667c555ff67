package memory

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestCgroup(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  int64
	}{
		"none": {fstest.MapFS{}, math.MaxInt64},
		"version 2": {fstest.MapFS{
			"proc/self/cgroup":                file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/memory.max":    file("max\n"),
			"sys/fs/cgroup/a/memory.max":      file("3000000000\n"),
			"sys/fs/cgroup/a/b/c/memory.max":  file("1\n"),
			"sys/fs/cgroup/other/memory.max":  file("1\n"),
			"sys/fs/cgroup/memory/memory.max": file("1\n"),
		}, 3_000_000_000},
		"version 2, in a container": {fstest.MapFS{
			"proc/self/cgroup":         file("0::/../../host/path\n"),
			"sys/fs/cgroup/memory.max": file("2000000000\n"),
		}, 2_000_000_000},
		"version 1": {fstest.MapFS{
			"proc/self/cgroup": file("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n"),
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": file("1000000000\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":            file("9223372036854771712\n"),
		}, 1_000_000_000},
	} {
		if got := cgroup(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestFree(t *testing.T) {
	l := free(fstest.MapFS{"proc/meminfo": file("MemTotal: 9 kB\nMemAvailable:  2000 kB\nSwapFree: 48 kB\n")})
	if len(l) != 1 || l[0].Bytes != 2048<<10 {
		t.Errorf("free: %v", l)
	}
	if l := free(fstest.MapFS{"proc/meminfo": file("MemTotal: 9 kB\n")}); l != nil {
		t.Errorf("without MemAvailable: %v", l)
	}
	l2, ok := Available()
	if !ok || l2.Bytes < 1<<20 || l2.Why == "" {
		t.Errorf("this computer: %v, %t", l2, ok)
	}
	if err := Check(1); err != nil {
		t.Error(err)
	}
	if err := Check(math.MaxInt64); err == nil || !strings.Contains(err.Error(), "9.22e+09 GB") || !strings.Contains(err.Error(), l2.Why) {
		t.Errorf("error %v", err)
	}
}
