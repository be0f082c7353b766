//go:build lab

package e2e

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// labConfig copies the lab's configuration with some words replaced.
func labConfig(t *testing.T, replace ...string) string {
	t.Helper()
	content, err := os.ReadFile(root + "/deploy/lab/mcloud.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range []string{"clouds.yaml", "rates.yaml"} {
		b, err := os.ReadFile(root + "/deploy/lab/" + f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changed := strings.NewReplacer(replace...).Replace(string(content))
	if len(replace) > 0 && changed == string(content) {
		t.Fatalf("nothing to replace by %v", replace)
	}
	path := filepath.Join(dir, "mcloud.yaml")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// says waits for a line of the log that has all words, and counts such lines
// somewhat later, when every source has looked several times: a mistake is one
// message of a length that people read, and not a flood.
func (p *product) says(t *testing.T, times int, words ...string) {
	t.Helper()
	waitFor(t, "the log says "+strings.Join(words, " … "), time.Minute, func() (bool, string) {
		return len(p.lines(words...)) > 0, p.log.tail(10)
	})
	time.Sleep(7 * time.Second)
	said := p.lines(words...)
	for _, line := range said {
		t.Logf("%s", line)
		if len(line) > 700 {
			t.Errorf("%d characters are no message to people", len(line))
		}
	}
	if len(said) > times {
		t.Errorf("%d lines with %v, want %d", len(said), words, times)
	}
}

// lines are those of the log that have all words.
func (p *product) lines(words ...string) (found []string) {
	for line := range strings.Lines(p.log.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// complains are the warnings and errors of the log.
func (p *product) complains() []string {
	return append(p.lines("level=WARN"), p.lines("level=ERROR")...)
}

func TestTypoInTheConfiguration(t *testing.T) {
	p := newProduct(t, labConfig(t, "keyring: /var/lib/mcloud-lab/ceph/fast", "keyrng: /var/lib/mcloud-lab/ceph/fast"))
	p.start(t)
	select {
	case err := <-p.exited:
		if err == nil {
			t.Error("a typo ends with success")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it runs with a typo")
	}
	out := p.log.String()
	if !strings.Contains(out, "mcloud.yaml:") || !strings.Contains(out, `"keyrng"`) || !strings.Contains(out, `did you mean "keyring"`) || strings.Count(strings.TrimSpace(out), "\n") > 0 {
		t.Errorf("want one line that names file, line and the word meant:\n%s", out)
	}
}

func TestUnreachableKeystone(t *testing.T) {
	config := labConfig(t)
	clouds := filepath.Join(filepath.Dir(config), "clouds.yaml")
	b, err := os.ReadFile(clouds)
	if err != nil {
		t.Fatal(err)
	}
	nobody := freeAddress(t)
	if err := os.WriteFile(clouds, []byte(strings.ReplaceAll(string(b), "127.0.0.1:5000", nobody)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProduct(t, config)
	p.start(t)
	p.waitForQuery(t, `ceph_osd_up == 1`, time.Minute)
	p.waitForQuery(t, `ovn_chassis_nb_cfg_lag`, time.Minute)
	p.waitForQuery(t, `mcloud_source_success{source=~"nova.*"} == 0`, time.Minute)
	// The sources behind it say it once; its own source also names the API.
	p.says(t, 2, nobody, "is Keystone at", "auth_url of cloud", clouds)
	if n := len(p.complains()); n > 4 {
		t.Errorf("%d complaints about one address:\n%s", n, strings.Join(p.complains(), "\n"))
	}
	if got, err := p.query(`openstack_nova_service_up`); err != nil || len(got) != 0 {
		t.Errorf("values of a cloud that cannot be reached: %v, %v", got, err)
	}
}

func TestWrongCephKeyring(t *testing.T) {
	dir := t.TempDir()
	keyring := filepath.Join(dir, "wrong.keyring")
	if err := os.WriteFile(keyring, []byte("[client.exporter]\n\tkey = AQBmZkBnAAAAABAAr8Xz0cQvW2kC3pBn4mJ5tQ==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProduct(t, labConfig(t, "/var/lib/mcloud-lab/ceph/fast/fast.client.exporter.keyring", keyring))
	p.start(t)
	p.waitForQuery(t, `ceph_osd_up{cluster="geo"} == 1`, time.Minute)
	p.waitForQuery(t, `openstack_nova_service_up`, time.Minute)
	p.says(t, 1, "cluster fast", keyring, "ceph auth get client.exporter")
	if got, err := p.query(`ceph_osd_up{cluster="fast"}`); err != nil || len(got) != 0 {
		t.Errorf("values of a cluster that refuses us: %v, %v", got, err)
	}
}

const rightPassword, wrongPassword = "correct-horse-battery", "staple-of-yesterday"

func TestStoreRefusesThePassword(t *testing.T) {
	guarded := newProduct(t, "")
	guarded.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	secret := filepath.Join(filepath.Dir(guarded.config), "password")
	for path, content := range map[string]string{secret: rightPassword + "\n", guarded.config: "cloud: e2e\nstore: {user: mcloud, password_file: password}\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := process(t, guarded.log, "mcloud", append([]string{"store", "--config", guarded.config}, guarded.flags()...)...)
	t.Cleanup(func() { _ = store.Process.Kill(); _ = store.Wait() })
	answers(t, "store", "http://"+guarded.store+"/ping", guarded.log)

	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	wrong := filepath.Join(filepath.Dir(p.config), "password")
	for path, content := range map[string]string{wrong: wrongPassword + "\n", p.config: "cloud: e2e\nstore: {url: \"http://" + guarded.store + "\", user: mcloud, password_file: password}\ncollector: {scrape_interval: 1s}\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.start(t)
	p.waitForQuery(t, `up == 1`, time.Minute)
	p.says(t, 1, "the store cannot be used", "check store.user and its password", guarded.store)
	for _, log := range []*lockedBuffer{p.log, guarded.log} {
		if strings.Contains(log.String(), rightPassword) || strings.Contains(log.String(), wrongPassword) {
			t.Errorf("a password stands in the log:\n%s", log)
		}
	}
	// The cure needs no restart.
	if err := os.WriteFile(wrong, []byte(rightPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.says(t, 1, "store connected")
}

// damageRecord turns over the data of the record in the middle of a segment of
// the write-ahead log, not its header: it keeps its length, and readers find the
// damage by its checksum (prometheus/prometheus:tsdb/docs/format/wal.md).
func damageRecord(t *testing.T, segment []byte) {
	t.Helper()
	const page, header = 32 << 10, 7 // type, length (2), checksum (4)
	type record struct{ start, end int }
	var records []record
	for at := 0; at+header <= len(segment); {
		left := page - at%page
		if left < header || segment[at] == 0 { // the rest of the page is empty
			at += left
			continue
		}
		end := at + header + (int(segment[at+1])<<8 | int(segment[at+2]))
		if end > len(segment) || end > at+left {
			t.Fatalf("no record of the write-ahead log at byte %d of %d", at, len(segment))
		}
		records = append(records, record{at + header, end})
		at = end
	}
	if len(records) < 3 {
		t.Fatalf("%d records are too few to damage one between others", len(records))
	}
	middle := records[len(records)/2]
	for i := middle.start; i < middle.end; i++ {
		segment[i] ^= 0xff
	}
	t.Logf("record %d of %d is damaged, bytes %d to %d of %d", len(records)/2, len(records), middle.start, middle.end, len(segment))
}

func TestCorruptWALSegment(t *testing.T) {
	t.Parallel()
	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	if err := os.WriteFile(p.config, []byte("cloud: e2e\ncollector: {scrape_interval: 1s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	p.waitForQuery(t, `count_over_time(up[1m]) > 5`, time.Minute)
	p.stop(t)
	var segments []string
	err := filepath.WalkDir(p.dataDir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) == "wal" {
			segments = append(segments, path)
		}
		return err
	})
	if err != nil || len(segments) == 0 {
		t.Fatalf("no WAL segment under %s: %v", p.dataDir, err)
	}
	segment := segments[0]
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	damageRecord(t, content)
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.log = &lockedBuffer{}
	p.start(t)
	p.waitForQuery(t, `count_over_time(up[10s]) > 3`, time.Minute)
	p.waitForQuery(t, `mcloud_collector_wal_damages_total == 1`, time.Minute)
	p.says(t, 1, "level=ERROR", "write-ahead log is damaged", segment)
	// What the shipper could not read of it is another loss, and said as such.
	p.says(t, 1, "level=ERROR", "cannot be shipped", "bytes_lost=")
	if n := len(p.complains()) - len(p.lines("nothing to watch")); n != 2 {
		t.Errorf("%d complaints about one segment:\n%s", n, strings.Join(p.complains(), "\n"))
	}
}

// TestStartPrintsWhatPeopleRead starts against the whole lab, again where
// something runs already, and stops at once.
func TestStartPrintsWhatPeopleRead(t *testing.T) {
	p := newProduct(t, labConfig(t))
	p.start(t)
	p.waitForQuery(t, `mcloud_source_success{source="nova_servers"} == 1`, time.Minute)
	waitFor(t, "the table of addresses", 20*time.Second, func() (bool, string) {
		return len(p.lines("Ctrl-C stops everything")) == 1 && len(p.lines("every source has looked once")) == 1, p.log.tail(10)
	})
	if n := len(p.lines("level=INFO")) - len(p.lines("plan made")); n > 10 {
		t.Errorf("%d lines of information at a start:\n%s", n, p.log)
	}
	for _, address := range []string{p.collector, p.exporter, p.store, p.planner} {
		if len(p.lines("http://"+address)) == 0 {
			t.Errorf("%s is not printed:\n%s", address, p.log)
		}
	}

	// The same again, and the same ports with another directory.
	for name, other := range map[string]*product{
		"data directory": {collector: freeAddress(t), exporter: freeAddress(t), store: freeAddress(t), planner: freeAddress(t), dataDir: p.dataDir, config: p.config, log: &lockedBuffer{}},
		"addresses":      {collector: p.collector, exporter: p.exporter, store: p.store, planner: p.planner, dataDir: t.TempDir(), config: p.config, log: &lockedBuffer{}},
	} {
		began := time.Now()
		other.start(t)
		select {
		case err := <-other.exited:
			if err == nil {
				t.Errorf("a second start in the same %s ends with success", name)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("a second start in the same %s goes on", name)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s to see that", took)
		}
		out := strings.TrimSpace(other.log.String())
		names := map[string]string{"data directory": fmt.Sprintf("process %d", p.command.Process.Pid), "addresses": "choose another address with --"}[name]
		if strings.Contains(out, "\n") || !strings.Contains(out, names) {
			t.Errorf("want one line with %q:\n%s", names, out)
		}
		t.Logf("%s: %s", name, out)
	}
}

// TestCtrlCAtAnyTime stops starts of all ages, with a store, a Keystone and a
// monitor that take connections and never answer.
func TestCtrlCAtAnyTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conf := filepath.Join(t.TempDir(), "hangs.conf")
	if err := os.WriteFile(conf, []byte("[global]\nfsid = 00000000-0000-0000-0000-000000000001\nmon_host = [v1:"+l.Addr().String()+"/0]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := labConfig(t, "/var/lib/mcloud-lab/ceph/fast/fast.conf", conf)
	clouds := filepath.Join(filepath.Dir(config), "clouds.yaml")
	b, err := os.ReadFile(clouds)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(clouds, []byte(strings.ReplaceAll(string(b), "127.0.0.1:5000", l.Addr().String())), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ages []time.Duration
		args []string
	}{
		"embedded store": {[]time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 7 * time.Second}, []string{"run", "--config", config}},
		"store hangs":    {[]time.Duration{2 * time.Second, 7 * time.Second}, []string{"run", "--config", config, "--store.url", "http://" + l.Addr().String()}},
	} {
		p := newProduct(t, config)
		for _, age := range c.ages {
			said, had := p.log.String(), filesIn(t, p.dataDir)
			p.start(t, c.args...)
			time.Sleep(age)
			took := p.stop(t)
			t.Logf("%s, after %s: it took %s", name, age, took)
			// On a busy machine main may not have begun; then the signal ends it, and it has done nothing.
			if status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && p.log.String() == said && age < time.Second {
				if has := filesIn(t, p.dataDir); has != had {
					t.Errorf("%s, after %s: ended by %s with %d files in its data directory, %d before", name, age, status.Signal(), has, had)
				}
				continue
			}
			if took > 5*time.Second || p.command.ProcessState.ExitCode() != 0 {
				t.Errorf("%s, after %s: it took %s and ended with %v\n%s", name, age, took, p.command.ProcessState, p.log.tail(5))
			}
		}
	}
}

// filesIn counts the files below a directory.
func filesIn(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	if err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { n++; return err }); err != nil {
		t.Fatal(err)
	}
	return n
}
