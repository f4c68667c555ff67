# make check is what continuous integration runs.

BIN := $(CURDIR)/.bin
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)

# The GPU build needs Go and gcc, and no CUDA toolkit: our cuda.h declares what
# is used. To build with NVIDIA's, give its folder: make gpu CUDA_INCLUDE=/usr/local/cuda/include
CUDA_INCLUDE := $(CURDIR)/graph/vm/cuda/driver
GPU := CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -I$(CUDA_INCLUDE)"

.PHONY: check format tidy vet lint fresh test noasm race platforms gpu gpu-check gpu-bundle gpu-report bench published

check: format tidy vet lint fresh test noasm race platforms gpu-check

format: ## every file is as gofmt writes it
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }

tidy: ## go.mod and go.sum say what is used
	go mod tidy -diff
	go mod verify

vet:
	go vet ./...

lint: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) run ./...
	$(GPU) $(GOLANGCI_LINT) run --build-tags gpu ./graph/vm/cuda/... ./cmd/...

$(GOLANGCI_LINT):
	GOFLAGS= GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

fresh: ## generated files are what their generators write
	go generate ./...
	@git diff --exit-code -- configs/schema.json graph/vm/cpu/kernel || { echo "generated files were stale: commit them"; exit 1; }

test:
	go test ./...

noasm: ## the pure-Go kernels, as on platforms without assembly
	go test -tags noasm -short ./graph/vm/cpu/...

race: ## what runs in parallel, in the short form
	go test -race -short ./cmd/... ./data/... ./train ./train/progress ./train/rundir ./graph/vm ./graph/vm/cpu/...

platforms: ## it builds where we do not test
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=windows GOARCH=amd64 go build ./...

gpu: ## the trainer with the CUDA machine, as ./trainer
	$(GPU) go build -tags gpu -o trainer ./cmd/trainer

gpu-check: ## what can be checked of the CUDA machine without a GPU; needs gcc and g++
	$(GPU) go vet -tags gpu ./...
	$(GPU) go build -tags gpu -o $(BIN)/trainer-gpu ./cmd/trainer
	$(BIN)/trainer-gpu devices
	$(GPU) go test -tags gpu ./graph/vm/cuda/...
	go test ./graph/vm/cuda/kernel -short -ptx
	graph/vm/cuda/driver/check-header.sh
	graph/vm/cuda/kernel/generate.sh -check

gpu-bundle: ## what gpu-report needs on a computer with a GPU, as gpu-bundle.tar.gz; DATA=FOLDER takes MNIST along
	$(GPU) graph/vm/cuda/measure/bundle.sh gpu-bundle

gpu-report: gpu-bundle ## checks and measures on this computer's GPU: gpu-bundle/results/report.md
	gpu-bundle/report.sh

bench:
	go test -run '^$$' -bench . -benchmem ./...

published: ## trains the configurations of published results with three seeds, and writes their table; needs MNIST
	go test ./cmd/trainer -run '^TestPublished$$' -published -timeout 0 -v
