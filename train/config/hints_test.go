package config

import (
	"regexp"
	"strings"
	"testing"
)

// TestHintsAreLegal: what a message advises to write is legal for the key.
func TestHintsAreLegal(t *testing.T) {
	advice := regexp.MustCompile(`write (\S+?)(, without the leading zero)?$`)
	found := 0
	for i := range keys {
		k := &keys[i]
		for _, bad := range []string{
			"1e9", "1e3", "2e0", "1.0", "10.0", "-1.0", "0.0", "010", "00", "0001000000000", "-01", "1e15", "9e15", "1e16", "1e308",
			"0x10", "1_000", "+1", ".5", "yes", "No", "ON", "0", "1", "True", `"5"`, "'1e3'", "~", "null", ".inf",
		} {
			setting := k.path + "=" + bad
			if k.kind == list || k.kind == perLayer {
				setting = k.path + "=[" + bad + ", " + bad + "]"
			}
			_, err := Read("", []string{setting})
			if err == nil || k.kind == group {
				continue
			}
			for line := range strings.Lines(err.Error()) {
				m := advice.FindStringSubmatch(strings.TrimSpace(line))
				if m == nil || strings.HasPrefix(m[1], "it") || m[1] == "decimal" {
					continue
				}
				found++
				entry := k
				if k.kind == list || k.kind == perLayer {
					entry = k.entry()
				}
				if v, _ := entry.parsePlain(m[1]); v == nil {
					t.Errorf("%s: %s", setting, line)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d messages with an advice", found)
	}
}

// TestRateTooSmall: a message says whether the rate falls, and in which epoch, or is too
// small from the start.
func TestRateTooSmall(t *testing.T) {
	for name, c := range map[string]struct {
		sets []string
		want string
	}{
		"from the start": {[]string{"train.rate.initial=1e-50", "train.epochs=3"}, "the learning rate 1.0e-50 is too small"},
		"falls":          {[]string{"train.rate.initial=1", "train.rate.factor=1e-20", "train.epochs=9"}, "in epoch 4"},
	} {
		if _, err := Read("", c.sets); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
