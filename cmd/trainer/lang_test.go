package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/train/rundir"
)

// TestLang: -lang, lang and the locale choose the language of the figures, in this order,
// and config.yaml keeps what was set.
func TestLang(t *testing.T) {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES"} {
		t.Setenv(name, "")
	}
	flags := append(rows(t), "-set", "train.epochs=1")
	for _, test := range []struct {
		locale string
		args   []string
		kept   string
		want   string
	}{
		{"zh_CN.UTF-8", nil, "lang: auto", "迭代轮数"},
		{"C.UTF-8", nil, "lang: auto", "epoch"},
		{"C.UTF-8", []string{"-lang", "zh"}, "lang: zh", "迭代轮数"},
		{"zh_CN.UTF-8", []string{"-set", "lang=en"}, "lang: en", "epoch"},
	} {
		t.Setenv("LANG", test.locale)
		dir := filepath.Join(t.TempDir(), "run")
		if code, _, stderr := trainer(append(append(flags, "-out", dir), test.args...)...); code != exitDone {
			t.Fatalf("%+v: exit code %d, %s", test, code, stderr)
		}
		for file, want := range map[string]string{rundir.FigureSVG: `"` + test.want + `"`, rundir.ConfigFile: test.kept + "\n"} {
			if content, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(content), want) {
				t.Errorf("%+v: %s lacks %s, %v", test, file, want, err)
			}
		}
	}
	for _, test := range [][2]string{
		{"-lang fr", "want auto, en or zh"},
		{"-lang zh -set lang=en", "give one of them"},
	} {
		code, _, stderr := trainer(append(flags, strings.Fields(test[0])...)...)
		if code != exitUsage || !strings.Contains(stderr, test[1]) {
			t.Errorf("%s: exit code %d, %s; want %s", test[0], code, stderr, test[1])
		}
	}
}

// TestUndrawn: a name with a character that figures cannot show is warned of once.
func TestUndrawn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := trainer(append(rows(t), "-set", "train.epochs=1", "-set", "name=鑫", "-lang", "en", "-out", dir)...)
	if code != exitDone || strings.Count(stdout, "no outlines for 鑫") != 1 {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}
