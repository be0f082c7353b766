package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const mgrSection = "mgr"

// mgrModules compares every series of the page of each cluster's own exporter,
// the mgr's prometheus module, with ours: names, labels besides cluster, values.
type mgrModules struct {
	families map[string]bool   // that any of the pages had
	pages    map[string]string // base URL by cluster
}

// What the module has and we have not, on purpose.
var (
	// mgrOwn are the module's measurements of itself.
	mgrOwn = regexp.MustCompile(`^ceph_prometheus_collect_duration_seconds_`)
	// mgrPointer are counters with an address in their name, new with each start of
	// a daemon; ours add them up under "_other_".
	mgrPointer = regexp.MustCompile(`_0x[0-9a-f]+_`)
	// mgrRates move up and down between two looks a second apart: that they are
	// there with the same labels is all that can be compared.
	mgrRates = regexp.MustCompile(`_latency_ms$|_per_sec$|^ceph_prioritycache|^ceph_bluefs_|^ceph_rocksdb_|^ceph_bluestore_|^ceph_osd_stat_bytes_used$|^ceph_pool_num_(objects|bytes)_recovered$|^ceph_mempool_`)
)

func (m *mgrModules) theirs(ctx context.Context, c *clients) (readings, error) {
	clusters, err := c.cephClusters()
	if err != nil {
		return nil, err
	}
	out := make(readings)
	for _, cluster := range clusters {
		p, err := m.fetch(ctx, c, cluster)
		if err != nil {
			return out, fmt.Errorf("the mgr of %s: %w", cluster, err)
		}
		m.read(p, cluster, out)
	}
	return out, nil
}

// fetch asks the cluster where its active mgr is only when that is not known or
// has changed: each question is a monitor's session, and would move counters that
// are compared.
func (m *mgrModules) fetch(ctx context.Context, c *clients, cluster string) (page, error) {
	if known := m.pages[cluster]; known != "" {
		if p, err := fetchMgrPage(ctx, known); err == nil && len(p) > 0 { // a standby's is empty
			return p, nil
		}
	}
	var services struct {
		Prometheus string `json:"prometheus"`
	}
	if err := c.ceph(ctx, cluster, &services, "mgr", "services"); err != nil {
		return nil, err
	}
	if services.Prometheus == "" {
		return nil, errors.New("it has no exporter of its own; turn it on with: deploy/lab/lab up ceph")
	}
	m.pages[cluster] = services.Prometheus
	return fetchMgrPage(ctx, services.Prometheus)
}

func (m *mgrModules) read(p page, cluster string, out readings) {
	for family := range p {
		if mgrOwn.MatchString(family) || mgrPointer.MatchString(family) {
			continue
		}
		m.families[family] = true
		p.each(family, func(labels map[string]string, value float64) {
			if id := labels["poolid"]; id != "" { // the label is pool_id since Ceph 18
				delete(labels, "poolid")
				labels["pool_id"] = id
			}
			// A gateway's counter in a family that other daemons have too gets their
			// label for its id, which is a mistake of the module's.
			if id := labels["ceph_daemon"]; id != "" && strings.Trim(id, "0123456789") == "" {
				delete(labels, "ceph_daemon")
				labels["instance_id"] = id
			}
			out.add(family, cluster+" "+labelsText(labels), value)
		})
	}
}

// ours are the exporter's series of the families that the module has.
func (m *mgrModules) ours(p page) readings {
	out := make(readings)
	for family := range m.families {
		p.each(family, func(labels map[string]string, value float64) {
			// The module leaves its own daemon's counters out.
			if strings.HasPrefix(labels["ceph_daemon"], "mgr.") && !strings.HasPrefix(family, "ceph_mgr_") {
				return
			}
			cluster := labels["cluster"]
			delete(labels, "cluster")
			delete(labels, "poolid") // ceph_pool_objects_repaired has it beside pool_id
			out.add(family, cluster+" "+labelsText(labels), value)
		})
	}
	return out
}

// forgiveDrift finds values equal that do not lie between the module's two
// answers and are the same but for the time between the looks: both sides ask
// the daemons every few seconds, each at its own time. There are thousands of
// rows, so those that are equal are not printed.
func forgiveDrift(rows []row) {
	for i, r := range rows {
		switch {
		case r.equal:
		case r.theirs == nil:
			// A monitor may leave a new mgr without a word for long; the health checks,
			// where ours are from, tell of it all the same.
			rows[i].equal = r.key.thing == "ceph_daemon_health_metrics" && strings.Contains(r.key.object, "ceph_daemon=mon.") && *r.ours == 0
		case r.ours == nil:
			// The module keeps the names of all checks that ever were, with 0 for those
			// that are not raised; ours has those that it has seen raised.
			rows[i].equal = r.key.thing == "ceph_health_detail" && *r.theirs == 0
		default:
			rows[i].equal = mgrRates.MatchString(r.key.thing) ||
				math.Abs(*r.ours-*r.theirs) <= 0.05*math.Max(math.Abs(*r.ours), math.Abs(*r.theirs))
		}
		rows[i].quiet = true
	}
}

func labelsText(labels map[string]string) string {
	var pairs []string
	for name, value := range labels {
		if value != "" { // an empty label is none, for Prometheus
			pairs = append(pairs, name+"="+value)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}

func fetchMgrPage(ctx context.Context, base string) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", request.URL, response.Status)
	}
	return parsePage(oneHeader(io.LimitReader(response.Body, maxPageBytes)))
}

// oneHeader leaves out comments that are there already: the module of Ceph 16
// writes some families' TYPE once a series, which no parser takes.
func oneHeader(r io.Reader) io.Reader {
	seen := make(map[string]bool)
	var out bytes.Buffer
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 2 && words[0] == "#" {
			if key := words[1] + words[2]; seen[key] {
				continue
			} else {
				seen[key] = true
			}
		}
		out.Write(lines.Bytes())
		out.WriteByte('\n')
	}
	return &out
}
