package figure

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"trainer/train/lang"
)

func learn(epochs int, seed uint64) Run {
	r := rand.New(rand.NewPCG(seed, 1))
	var run Run
	for i := range epochs {
		e := float64(i + 1)
		run.Accuracy.Train = append(run.Accuracy.Train, 0.99-0.06/math.Sqrt(e))
		run.Accuracy.Test = append(run.Accuracy.Test, 0.968-0.04/e+0.002*r.NormFloat64())
		run.Cost.Train = append(run.Cost.Train, 0.01+0.05/math.Sqrt(e))
		run.Cost.Test = append(run.Cost.Test, 0.022+0.04/e+0.0005*r.NormFloat64())
	}
	run.Best = max(1, epochs-1)
	return run
}

func TestDemo(t *testing.T) {
	out := os.Getenv("FIGOUT")
	if out == "" {
		t.Skip()
	}
	var chance Run
	for i := range 50 {
		v := []float64{0.0987, 0.1124, 0.1022, 0.0993, 0.1090}[i%5]
		chance.Accuracy.Train = append(chance.Accuracy.Train, v)
		chance.Accuracy.Test = append(chance.Accuracy.Test, v+0.001)
		chance.Cost.Train = append(chance.Cost.Train, 0.4503-v/100)
		chance.Cost.Test = append(chance.Cost.Test, 0.4506-v/100)
	}
	chance.Best = 2
	val := learn(50, 3)
	for i, a := range val.Accuracy.Test {
		val.Accuracy.Validation = append(val.Accuracy.Validation, a+0.003)
		val.Cost.Validation = append(val.Cost.Validation, val.Cost.Test[i]*0.9)
	}
	steep := learn(50, 4)
	for i := range 50 {
		steep.Cost.Train[i] = 0.4 * math.Pow(0.8, float64(i))
		steep.Cost.Test[i] = 0.02 + 0.4*math.Pow(0.7, float64(i))
	}
	title := "MNIST: 784-50-10 sigmoid, with bias, float32"
	one := func(r Run) Training { return Training{Title: title, Runs: []Run{r}, Classes: 10} }
	several := Training{Title: title, Classes: 10, Best: 3}
	for i := range 8 {
		several.Runs = append(several.Runs, learn(40-i*i/3, uint64(i)))
	}
	zh := one(val)
	zh.Language, zh.Title = lang.Chinese, "MNIST：784-50-10 sigmoid，有偏置，float32"
	zhSeveral := several
	zhSeveral.Language = lang.Chinese
	odd := one(val)
	odd.Title = "手写数字 くずし字 𠮷野家 鑫淼 한국어 عربى ⟨&⟩: 784-50-10"
	for name, tr := range map[string]Training{"one": one(learn(1, 1)), "two": one(learn(2, 1)), "50": one(learn(50, 1)), "300": one(learn(300, 2)), "5000": one(learn(5000, 2)), "chance": one(chance),
		"validation": one(val), "steep": one(steep), "several": several, "zh": zh, "zh-several": zhSeveral, "odd": odd} {
		f, err := tr.Figure()
		if err != nil {
			t.Fatal(name, err)
		}
		save(t, f, filepath.Join(out, name))
		t.Logf("%s missing %q", name, f.Missing())
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{2, 10, 26, 47, 256} {
		m := Matrix{Title: title, Set: TestSet, Epoch: 41, Samples: 0}
		for i := range n {
			row := make([]int, n)
			for k := range row {
				if r.IntN(3) == 0 {
					row[k] = r.IntN(12)
				}
			}
			row[i] = 950 + r.IntN(50)
			m.Counts = append(m.Counts, row)
		}
		if n == 26 {
			m.Name = func(k int) string { return string(rune('A' + k)) }
		}
		if n == 10 {
			m.Language, m.Name = lang.Chinese, func(k int) string {
				return []string{"T恤/上衣", "裤子", "套头衫", "连衣裙", "外套", "凉鞋", "衬衫", "运动鞋", "包", "短靴和很长很长很长的名字"}[k]
			}
		}
		f, err := m.Figure()
		if err != nil {
			t.Fatal(err)
		}
		save(t, f, filepath.Join(out, "confusion"+string(rune('0'+n%10))+"-"+string(rune('0'+n/26))))
	}
	for _, n := range []int{1, 3, 50, 1000} {
		u := Units{Title: title, Rows: 28, Cols: 28}
		for k := range n {
			for y := range 28 {
				for x := range 28 {
					w := 0.05 * r.NormFloat64()
					dx, dy := float64(x)-14, float64(y)-14
					w += 0.5 * math.Exp(-(dx*dx+dy*dy)/60) * math.Sin(float64(k)+dx*0.4+dy*0.3*math.Cos(float64(k)))
					u.Weights = append(u.Weights, w)
				}
			}
		}
		if n == 1000 {
			u.Language = lang.Chinese
		}
		f, err := u.Figure()
		if err != nil {
			t.Fatal(err)
		}
		save(t, f, filepath.Join(out, "hidden"+string(rune('0'+n%7))))
	}
}

func save(t *testing.T, f *Figure, path string) {
	t.Helper()
	for ext, write := range map[string]func(*os.File) error{".png": func(w *os.File) error { return f.PNG(w) }, ".svg": func(w *os.File) error { return f.SVG(w) }} {
		w, err := os.Create(path + ext)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(w); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
}
