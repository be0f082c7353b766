# mCloud. `make help` lists what there is.
GO       ?= go
TAGS     := ceph,pacific
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The version is stamped here: go's own way asks git, which refuses a tree that is another user's.
BUILD    := -buildvcs=false -ldflags '-X main.version=$(VERSION)'
export GO
LAB      := deploy/lab/lab
BENCH    ?= .
FAULTS   ?= all
# Where the series are that forecasts are measured on; the repository holds none.
DATA     ?= ../shared/data

.PHONY: help build run test check-alerts plugin check-plugin test-unit test-query test-clickhouse check bench bench-exporter bench-forecast bench-panels bench-store chaos faults fuzz lab-up lab-seed lab-down lab-status e2e prepare prepare-test clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: prepare ## bin/mcloud and bin/mcloud-plan
	@mkdir -p bin
	@deploy/prepare/compile $(TAGS) ./cmd/mcloud ./cmd/mcloud-plan -- $(BUILD) -o bin/

run: build ## build, then run everything against a simulated cloud
	bin/mcloud run --demo

check: prepare ## gofmt, vet, staticcheck, who may import whom
	@files=$$(git ls-files '*.go') && unformatted=$$(gofmt -l $$files) || exit 1; [ -z "$$unformatted" ] || { echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) vet ./...
	$(GO) tool staticcheck -tags $(TAGS) ./...
	$(GO) test -count=1 .

check-alerts: ## the alerts: promtool checks and runs them, mutants of them, what they use, Alertmanager's example
	@deploy/prepare/prepare alerts
	CI=true $(GO) test -count=1 -v ./alerts
	$(GO) test -count=1 -run '^(TestRulesUseWhatIsThere|TestRunbooksNameWhatIsThere|TestCheckFindsWhatIsNotThere)$$' ./cmd/parts

# npm's packages, anew when the list of them has changed.
PLUGIN_PACKAGES := dashboards/plugin/node_modules/.installed
$(PLUGIN_PACKAGES): dashboards/plugin/package-lock.json
	@cd dashboards/plugin && npm ci --no-progress --prefer-offline || { echo "npm could not install the packages of dashboards/plugin/package-lock.json: its message is above; see where npm fetches from (npm config get registry) and whether that answers" >&2; exit 1; }
	@touch $@

plugin: ## the Grafana plugin, both ends, into dashboards/plugin/dist
	@deploy/prepare/prepare plugin
	@$(MAKE) --no-print-directory $(PLUGIN_PACKAGES)
	cd dashboards/plugin && rm -rf dist && npm run --silent build
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -buildvcs=false -trimpath -ldflags '-s -w' -o dashboards/plugin/dist/gpx_mcloud_planner_linux_amd64 ./dashboards/plugin/gpx_mcloud_planner

check-plugin: ## the Grafana plugin: types, lint, the same bytes from two builds, its editors in Chromium, its back end
	@deploy/prepare/prepare plugin-test
	@$(MAKE) --no-print-directory $(PLUGIN_PACKAGES)
	cd dashboards/plugin && npm run --silent typecheck && npm run --silent lint && npm run --silent reproducible && npm run --silent test
	$(GO) vet ./dashboards/plugin/...
	CI=true $(GO) test -count=1 ./dashboards/plugin/...

test-unit: ## what needs neither root nor a lab
	@deploy/prepare/prepare unit
	$(GO) test ./...

test-query: ## 1,000 random queries of our storage and of Prometheus's own (MCLOUD_SEED=2 for others, MCLOUD_QUERIES=5000 for more)
	@deploy/prepare/prepare unit
	MCLOUD_QUERIES=$${MCLOUD_QUERIES:-1000} $(GO) test -count=1 -timeout 60m -run TestDifferential -v ./collector/query

test-clickhouse: ## what a ClickHouse server has to do for mCloud, on yours: CLICKHOUSE_URL=http://host:8123, and CLICKHOUSE_USER, _PASSWORD, _CA (file), _CLUSTER (name)
	@[ -n "$(CLICKHOUSE_URL)" ] || { echo "make test-clickhouse CLICKHOUSE_URL=http://host:8123 [CLICKHOUSE_USER=… CLICKHOUSE_PASSWORD=… CLICKHOUSE_CA=… CLICKHOUSE_CLUSTER=…]"; exit 2; }
	@export MCLOUD_CLICKHOUSE_URL="$$CLICKHOUSE_URL" MCLOUD_CLICKHOUSE_USER="$$CLICKHOUSE_USER" MCLOUD_CLICKHOUSE_PASSWORD="$$CLICKHOUSE_PASSWORD" MCLOUD_CLICKHOUSE_CA="$$CLICKHOUSE_CA" MCLOUD_CLICKHOUSE_CLUSTER="$$CLICKHOUSE_CLUSTER"; \
	$(GO) test -count=1 -timeout 60m -v -run '^TestConformance$$' ./collector/clickhouse && \
	$(GO) test -count=1 -timeout 60m -v -run '^(TestDifferential|TestReplica.*)$$' ./collector/query

test: prepare-test ## everything: checks, unit tests with -race, then the lab end to end (needs root)
	deploy/prepare/test

e2e: build ## the end-to-end tests against a lab that is up and seeded (needs root; E2EFLAGS=-short leaves out those that fill the cloud)
	MCLOUD_LAB_CLOUDS=$(CURDIR)/deploy/lab/clouds.yaml $(GO) test -tags $(TAGS),lab -count=1 -timeout 30m -p 1 -run 'Lab' ./exporters/openstack ./exporters/ceph/rados ./exporters/ovn ./exporters/ovs ./deploy/conformance ./cmd/access
	$(GO) test -tags $(TAGS),lab -count=1 -timeout 60m -v $(E2EFLAGS) ./deploy/e2e

faults: build ## break the lab and mCloud, one thing after the other, and count the pages (1 h 45 min; FAULTS=northd,API picks some)
	MCLOUD_E2E_FAULTS='$(FAULTS)' $(GO) test -tags $(TAGS),lab -count=1 -timeout 3h -v -run TestEachFaultOnePage ./deploy/e2e

bench: prepare ## benchmarks, BENCH=regexp picks some
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(BENCH)' -benchmem ./...

bench-exporter: ## the exporter against a simulated cloud of full size: calls, time, memory, scrape (ARGS="-rounds 8")
	@mkdir -p bin
	$(GO) build -buildvcs=false -o bin/bench-exporter ./cmd/bench-exporter
	bin/bench-exporter $(ARGS)

bench-panels: build ## how long the panels take on a demo of 2,000 hosts, one at a time and six (ARGS="-hosts 200"; -url http://host:9090 asks yours)
	$(GO) build -buildvcs=false -o bin/bench-panels ./cmd/bench-panels
	bin/bench-panels $(ARGS)

bench-store: ## the store beside Prometheus's own TSDB: remote write, memory, disk, long queries (ARGS="-only disk")
	@deploy/prepare/prepare unit
	@mkdir -p bin
	$(GO) build -buildvcs=false -o bin/bench-store ./cmd/bench-store
	bin/bench-store $(ARGS)

bench-forecast: ## the forecasts on M4's and storage's held-back tails: error, intervals, speed (DATA=directory, ARGS="-back 1")
	@mkdir -p bin
	$(GO) build -buildvcs=false -o bin/bench-forecast ./cmd/bench-forecast
	bin/bench-forecast -data $(DATA) $(ARGS)

chaos: build ## break collector and store under load, and count what is missing or doubled (ARGS="-rounds 100"; root for the full disk)
	$(GO) build -buildvcs=false -tags $(TAGS) -o bin/chaos ./cmd/chaos
	bin/chaos $(ARGS)

fuzz: ## every fuzz target for FUZZTIME (10m), FUZZ=regexp picks packages
	@TAGS=$(TAGS) deploy/prepare/fuzz

lab-up: ## the integration cloud: OpenStack, OVN, two Ceph clusters, Alertmanager (needs root)
	$(LAB) up

lab-seed: ## projects, flavors, servers, volumes, networks in the lab
	$(LAB) seed

lab-down: ## stop the lab, its data stays
	$(LAB) down

lab-status:
	$(LAB) status

prepare:
	@deploy/prepare/prepare build

prepare-test:
	@deploy/prepare/prepare test

clean: ## remove what was built
	rm -rf bin
