# make check is what continuous integration runs.

BIN := $(CURDIR)/.bin
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)

.PHONY: check format vet lint fresh tidy test race platforms bench

check: format tidy vet lint fresh test race platforms

format: ## every file is as gofmt writes it
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }

tidy: ## go.mod and go.sum say what is used
	go mod tidy -diff
	go mod verify

vet:
	go vet ./...

lint: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) run ./...

$(GOLANGCI_LINT):
	GOFLAGS= GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

fresh: ## generated files are what their generators write
	go generate ./...
	@git diff --exit-code -- configs/schema.json || { echo "generated files were stale: commit them"; exit 1; }

test:
	go test ./...

race: ## the parallel parts and all else, in the short form
	go test -race -short ./...

platforms: ## it builds where we do not test
	GOOS=linux GOARCH=arm64 go build ./... && GOOS=linux GOARCH=arm64 go vet ./...
	GOOS=darwin GOARCH=arm64 go build ./...
	GOOS=windows GOARCH=amd64 go build ./...

bench:
	go test -run '^$$' -bench . -benchmem ./...
