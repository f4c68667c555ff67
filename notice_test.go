package trainer

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestPromises: each promise has a test that is there, or says that it is not kept yet.
func TestPromises(t *testing.T) {
	text, err := os.ReadFile("PROMISES.md")
	if err != nil {
		t.Fatal(err)
	}
	item := regexp.MustCompile(`(?m)^(\d+)\. `)
	named := regexp.MustCompile("`([a-z/]+): (Test[A-Za-z0-9]+)`")
	places := item.FindAllStringSubmatchIndex(string(text), -1)
	for i, at := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		promise := string(text[at[0]:end])
		if n, err := strconv.Atoi(string(text[at[2]:at[3]])); err != nil || n != i+1 {
			t.Errorf("promise %d has the number %s", i+1, text[at[2]:at[3]])
		}
		tests := named.FindAllStringSubmatch(promise, -1)
		if len(tests) == 0 && !strings.Contains(promise, "*Not yet") {
			t.Errorf("promise %d names no test: %s", i+1, promise)
		}
		for _, m := range tests {
			if !hasTest(t, m[1], m[2]) {
				t.Errorf("promise %d: %s has no %s", i+1, m[1], m[2])
			}
		}
	}
	if len(places) < 31 {
		t.Errorf("%d promises", len(places))
	}
}

// hasTest reports whether a package has a test.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// TestNotice: the licences that want to be passed on with a binary are in it.
func TestNotice(t *testing.T) {
	for _, want := range []string{"Go's standard library", "gorgonia.org/gorgonia ", "FreeType", "SIL Open Font", "Noto Sans CJK SC "} {
		if !strings.Contains(strings.ToLower(Notice), strings.ToLower(want)) {
			t.Errorf("NOTICE lacks %q", want)
		}
	}
}
