package machines_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
)

// A web handler that predicts: a JSON list of inputs comes in, a list of outputs goes
// out. A machine is used from one goroutine at a time.
func ExampleOpen_handler() {
	xor, err := model.Read("testdata/xor.safetensors")
	check(err)
	m, _, err := machines.Open(xor.Network, machines.Options{})
	check(err)
	defer func() { check(m.Close()) }()
	check(m.SetParameters(xor.Parameters))
	var mu sync.Mutex
	predict := func(w http.ResponseWriter, r *http.Request) {
		var x []float64
		if err := json.NewDecoder(r.Body).Decode(&x); err != nil || len(x) != xor.Network.Inputs() {
			http.Error(w, fmt.Sprintf("want a list of %d numbers", xor.Network.Inputs()), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		a, err := m.Predict(x)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(a) // the client may have gone
	}
	for _, body := range []string{"[0, 1]", "[1, 1]", "[1]"} {
		answer := httptest.NewRecorder()
		predict(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		var a []float64
		_ = json.Unmarshal(answer.Body.Bytes(), &a)
		fmt.Printf("%d %.2f\n", answer.Code, a)
	}
	// Output:
	// 200 [1.00]
	// 200 [0.00]
	// 400 []
}

// A set of one's own is a CSV file, or any other that the command trainer reads: here one
// that says whether a point is above a line.
func ExampleOpen_ownSet() {
	dir, err := os.MkdirTemp("", "points")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	rows := "class,across,up\n"
	for i := range 400 {
		x, y := i%20, i/20
		rows += fmt.Sprintf("%s,%d,%d\n", map[bool]string{true: "above", false: "below"}[y > x], 12*x, 12*y)
	}
	file := filepath.Join(dir, "points.csv")
	check(os.WriteFile(file, []byte(rows), 0o600))

	ctx := context.Background()
	d, _, err := data.Open(ctx, data.Spec{Kind: data.Files, TrainFiles: []string{file}, Classes: 2, Split: 0.25})
	check(err)
	network := model.Network{Layers: []int{d.Train.Inputs(), 6, 2}, Bias: true}
	m, _, err := machines.Open(network, machines.Options{})
	check(err)
	defer func() { check(m.Close()) }()
	check(m.SetParameters(model.Normal(network, 1, data.Stream(1, "initialisation", 0))))
	for epoch := range 100 {
		check(m.Train(ctx, vm.Pass{Set: d.Train, Order: data.Shuffled(d.Train.Len(), 1, epoch), Batch: 1, Rate: 1}))
	}
	score, err := m.Evaluate(ctx, d.Test)
	check(err)
	fmt.Println(d.Train.ClassNames, d.Train.Len(), "to train on; of the others, more than 95 % right:", score.Accuracy() > 0.95)
	// Output: [above below] 300 to train on; of the others, more than 95 % right: true
}

// A schedule of one's own: the learning rate of a pass is a number, so it may come from
// any function of the epoch. Here it warms up, and then falls like a cosine.
func ExampleOpen_schedule() {
	const epochs, warm, peak = 12, 2, 2.0
	rate := func(epoch int) float64 { // from 0
		if epoch < warm {
			return peak * float64(epoch+1) / warm
		}
		return peak / 2 * (1 + math.Cos(math.Pi*float64(epoch-warm)/(epochs-warm)))
	}
	d := data.GenerateDigits(1, 1000, 500)
	network := model.Network{Layers: []int{784, 20, 10}, Bias: true}
	m, _, err := machines.Open(network, machines.Options{Batch: 10})
	check(err)
	defer func() { check(m.Close()) }()
	check(m.SetParameters(model.Normal(network, 0.05, data.Stream(1, "initialisation", 0))))
	for epoch := range epochs {
		order := data.Shuffled(d.Train.Len(), 1, epoch)
		check(m.Train(context.Background(), vm.Pass{Set: d.Train, Order: order, Batch: 10, Rate: rate(epoch)}))
	}
	score, err := m.Evaluate(context.Background(), d.Test)
	check(err)
	fmt.Printf("rates %.2f, %.2f, …, %.2f; more than half right: %t\n", rate(0), rate(1), rate(epochs-1), score.Accuracy() > 0.5)
	// Output: rates 1.00, 2.00, …, 0.05; more than half right: true
}
