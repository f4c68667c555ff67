package compare

import (
	"bytes"
	"context"
	"math"
	"math/big"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm/machines"
	"trainer/train"
	"trainer/train/config"
)

// TestExact compares the p-value with the sum of binomial coefficients in whole numbers.
func TestExact(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {0, 6}, {3, 9}, {9, 3}, {25, 25}, {40, 61}, {154, 60}, {500, 700}, {1, 3000}} {
		b, n := c[0], c[0]+c[1]
		sum := new(big.Int)
		for k := range min(b, n-b) + 1 {
			sum.Add(sum, new(big.Int).Binomial(int64(n), int64(k)))
		}
		p, _ := new(big.Rat).SetFrac(sum.Lsh(sum, 1), new(big.Int).Lsh(big.NewInt(1), uint(n))).Float64()
		want := min(p, 1)
		if got := exact(c[0], c[1]); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%d and %d: p is %v, want %v", c[0], c[1], got, want)
		}
	}
	// Table 1 of Fagerland, Lydersen and Laake, The McNemar test for binary matched-pairs
	// data, BMC Medical Research Methodology 13:91 (2013): 1 and 7 give 0.0703.
	if got := exact(1, 7); math.Abs(got-0.0703125) > 1e-12 {
		t.Errorf("1 and 7: p is %v", got)
	}
}

// TestInterval: the interval has the difference in it, is symmetric under a change of
// places, narrows with the samples, and holds what it promises. That is counted over the
// outcomes of many draws.
func TestInterval(t *testing.T) {
	low, high := interval(154, 60, 10_000)
	back, forth := interval(60, 154, 10_000)
	if low != -forth || high != -back || low > -0.0094 || high < -0.0094 {
		t.Errorf("from %v to %v, changed %v to %v", low, high, back, forth)
	}
	// Wald's half width is 1.96 √(b + c − (c−b)²/n) / n = 0.002861.
	if half := (high - low) / 2; math.Abs(half-0.002861) > 2e-5 {
		t.Errorf("half width %v", half)
	}
	if low, high := interval(0, 0, 100); low >= 0 || high <= 0 {
		t.Errorf("no images differ: from %v to %v", low, high)
	}
	random := data.Stream(1, "interval", 0)
	const n, draws, first, second = 2000, 2000, 0.006, 0.010
	inside := 0
	for range draws {
		b, c := 0, 0
		for range n {
			switch u := random.Float64(); {
			case u < first:
				b++
			case u < first+second:
				c++
			}
		}
		if low, high := interval(b, c, n); low <= second-first && second-first <= high {
			inside++
		}
	}
	// 95 % of 2,000, with five standard deviations of √(2000·0.95·0.05) = 9.7.
	if inside < 1900-49 || inside > 1900+49 {
		t.Errorf("%d of %d intervals hold the difference", inside, draws)
	}
}

func set(labels ...uint8) *data.Set {
	s := &data.Set{Name: "test", Rows: 2, Cols: 2, Classes: 3, Labels: labels}
	for i := range labels {
		s.Pixels = append(s.Pixels, uint8(i), 1, 2, 3)
	}
	return s
}

func TestPair(t *testing.T) {
	p := newPair([]uint8{0, 1, 2, 0, 1}, []int{0, 1, 1, 0, 2}, []int{0, 2, 2, 0, 0})
	if p.Samples != 5 || p.Both != 2 || p.OnlyFirst != 1 || p.OnlySecond != 1 || p.Neither != 1 || p.Difference != 0 || p.P != 1 {
		t.Errorf("have %+v", p)
	}
}

// TestAnswers: they are those that the machine's own evaluation counts.
func TestAnswers(t *testing.T) {
	digits := data.GenerateDigits(1, 0, 700).Test
	n := model.Network{Layers: []int{784, 8, 10}, Bias: true}
	m, _, err := machines.Open(n, machines.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.SetParameters(model.Normal(n, 0.3, data.Stream(3, "answers", 0))); err != nil {
		t.Fatal(err)
	}
	score, err := m.Evaluate(context.Background(), digits)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := Answers(context.Background(), m, digits)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		score.Confusion[digits.Labels[i]][a]--
	}
	for label, row := range score.Confusion {
		for answer, left := range row {
			if left != 0 {
				t.Errorf("%d images of %d are answered %d, which the evaluation does not count", -left, label, answer)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Answers(ctx, m, digits); err == nil {
		t.Error("a context that is done does not end it")
	}
}

func TestSame(t *testing.T) {
	a := set(0, 1, 2)
	if err := Same(a, set(0, 1, 2)); err != nil {
		t.Error(err)
	}
	pixel := set(0, 1, 2)
	pixel.Pixels[5] = 9
	wide := set(0, 1, 2)
	wide.Rows, wide.Cols = 1, 4
	scaled := set(0, 1, 2)
	scaled.Scale.Pixels = data.Range{Low: 0, High: 16}
	for want, b := range map[string]*data.Set{"2×2": wide, "3 images, and 4": set(0, 1, 2, 0), "image 2 has the label 2, and 1": set(0, 1, 1), "image 1 is another": pixel, "0 to 16": scaled} {
		if err := Same(a, b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestReport: the texts have what is to be said, in both languages, in aligned columns.
func TestReport(t *testing.T) {
	test := set(0, 1, 2, 0, 1, 2, 0, 1, 2, 0)
	first, second := config.Default(), config.Default()
	second.Train.Batch, second.Name = 10, "second"
	validated := train.Metrics{Epoch: 1, TestAccuracy: 0.5, Validation: &train.Validation{ValidationAccuracy: 0.25}}
	runs := []Run{
		{Name: "runs/a", Model: "runs/a/best.safetensors", Config: first, Epochs: []train.Metrics{{Epoch: 1, TestAccuracy: 0.9}, {Epoch: 2, TestAccuracy: 0.8}}, Answers: make([]int, 10)},
		{Name: "运行\x1b[2J", Model: "b", Config: second, Epochs: []train.Metrics{validated}, Answers: []int{0, 1, 2, 0, 1, 2, 0, 1, 2, 0}},
		{Name: "none", Model: "c", Config: first, Answers: []int{1, 1, 2, 1, 1, 2, 1, 1, 2, 1}},
	}
	r, err := New(runs, test)
	if err != nil {
		t.Fatal(err)
	}
	if r.Runs[0].Correct != 4 || r.Runs[1].Correct != 10 || r.Runs[0].Best.Epoch != 1 || r.Runs[0].Last.Epoch != 2 || r.Runs[2].Last != nil {
		t.Errorf("results %+v", r.Runs)
	}
	if len(r.Pairs) != 2 || r.Pairs[0].OnlySecond != 6 || math.Abs(r.Pairs[0].P-2./64) > 1e-12 || r.Pairs[1].P < 0.5 {
		t.Errorf("pairs %+v", r.Pairs)
	}
	if d := r.Differences; len(d) != 2 || d[0].Path != "name" || d[1].Path != "train.batch" || strings.Join(d[1].Values, " ") != "1 10 1" {
		t.Errorf("differences %+v", d)
	}
	for l, wanted := range map[lang.Language][]string{
		lang.English: {"train.batch", "0.031", "+0.6000", "better", "not clearly another", "chosen on the test set", "validation accuracy", "10 images"},
		lang.Chinese: {"train.batch", "0.031", "+0.6000", "更好", "差别不显著", "验证准确率"},
	} {
		var b bytes.Buffer
		if err := r.Text(&b, l); err != nil {
			t.Fatal(err)
		}
		for _, want := range wanted {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%v: no %q in\n%s", l, want, b.String())
			}
		}
		if strings.Contains(b.String(), "\x1b") || strings.Contains(b.String(), "%!") {
			t.Errorf("%v: %q", l, b.String())
		}
	}
	if _, err := New(runs[:1], test); err == nil {
		t.Error("one run is compared")
	}
	runs[1].Answers = runs[1].Answers[1:]
	if _, err := New(runs, test); err == nil {
		t.Error("nine answers for ten images are compared")
	}
}
