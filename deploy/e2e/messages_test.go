//go:build lab

package e2e

import (
	"os"
	"path/filepath"
	"strings"
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
// a little later: it is one message, not a flood.
func (p *product) says(t *testing.T, words ...string) {
	t.Helper()
	matching := func() (n int, first string) {
		for line := range strings.Lines(p.log.String()) {
			all := true
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				if n == 0 {
					first = line
				}
				n++
			}
		}
		return n, first
	}
	waitFor(t, "the log says "+strings.Join(words, " … "), time.Minute, func() (bool, string) {
		n, first := matching()
		if n > 0 {
			t.Logf("%s", strings.TrimSpace(first))
		}
		return n > 0, p.log.tail(10)
	})
	time.Sleep(15 * time.Second)
	if n, _ := matching(); n > 8 {
		t.Errorf("%d lines with %v: a flood", n, words)
	}
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
	p.says(t, nobody)
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
	p.says(t, "fast", keyring)
	if got, err := p.query(`ceph_osd_up{cluster="fast"}`); err != nil || len(got) != 0 {
		t.Errorf("values of a cluster that refuses us: %v, %v", got, err)
	}
}

func TestStoreRefusesThePassword(t *testing.T) {
	guarded := newProduct(t, "")
	guarded.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	secret := filepath.Join(filepath.Dir(guarded.config), "password")
	for path, content := range map[string]string{secret: "right\n", guarded.config: "cloud: e2e\nstore: {user: mcloud, password_file: password}\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := process(t, guarded.log, append([]string{"store", "--config", guarded.config}, guarded.flags()...)...)
	t.Cleanup(func() { _ = store.Process.Kill(); _ = store.Wait() })
	answers(t, "store", "http://"+guarded.store+"/ping", guarded.log)

	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	wrong := filepath.Join(filepath.Dir(p.config), "password")
	for path, content := range map[string]string{wrong: "wrong\n", p.config: "cloud: e2e\nstore: {url: \"http://" + guarded.store + "\", user: mcloud, password_file: password}\ncollector: {scrape_interval: 1s}\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.start(t)
	p.waitForQuery(t, `up == 1`, time.Minute)
	p.says(t, "password", guarded.store)
	if strings.Contains(p.log.String(), "wrong\"") || strings.Contains(guarded.log.String(), "right\"") {
		t.Error("a password stands in the log")
	}
}

func TestCorruptWALSegment(t *testing.T) {
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
	for i := len(content) / 2; i < len(content)/2+64 && i < len(content); i++ {
		content[i] ^= 0xff
	}
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.log = &lockedBuffer{}
	p.start(t)
	p.waitForQuery(t, `count_over_time(up[10s]) > 3`, time.Minute)
	p.says(t, filepath.Base(segment), "wal")
}
