package ovs

import (
	"regexp"
	"strconv"
	"strings"

	"mcloud/exporters"
)

// number reads a whole or decimal number; "?" stands for one that is not known.
func number(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && v >= 0 && v < 1e30
}

// pair is "name: value" or "name : value".
func pair(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	return strings.TrimSpace(name), strings.TrimSpace(value), ok
}

// words is "hit:651 missed:50 lost:0" by name. A word without a colon belongs
// to the name of the next: "udpif keys:15".
func words(s string) map[string]float64 {
	values := map[string]float64{}
	prefix := ""
	for word := range strings.FieldsSeq(s) {
		name, value, ok := strings.Cut(word, ":")
		if !ok {
			prefix += word + " "
			continue
		}
		if v, ok := number(value); ok {
			values[prefix+name] = v
		}
		prefix = ""
	}
	return values
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// readVersion splits "ovs-vswitchd (Open vSwitch) 3.1.0" and
// "ovn-controller 23.03.1\nOpen vSwitch Library 3.1.0".
func readVersion(text string) (program, version string) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return "", ""
	}
	return fields[0], fields[len(fields)-1]
}

// coverageLine is "hmap_expand  3.2/sec  3.300/sec  0.7608/sec   total: 2739".
var coverageLine = regexp.MustCompile(`^(\w+)\s.*\btotal: (\d+)\s*$`)

func readCoverage(r *report, text string) (n int) {
	for line := range strings.Lines(text) {
		m := coverageLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		if v, ok := number(m[2]); ok {
			r.add(coverage, v, r.daemon, m[1])
			n++
		}
	}
	return n
}

// maxKinds bounds the label "kind"; a daemon has about ten.
const maxKinds = 100

func readMemory(r *report, text string) (n int) {
	for kind, v := range words(text) {
		if n < maxKinds {
			r.add(memory, v, r.daemon, kind)
			n++
		}
	}
	return n
}

// datapathName is the unindented line that begins a datapath: "netdev@ovs-netdev:".
func datapathName(line string) (string, bool) {
	if indent(line) > 0 || !strings.HasSuffix(line, ":") || len(line) == 1 {
		return "", false
	}
	return strings.TrimSuffix(line, ":"), true
}

// portLine is "port 4: eth1" or "port 5: genev_sys_6081 (geneve: packet_type=ptap)".
var portLine = regexp.MustCompile(`^\s*port \d+: (\S+)`)

// readDatapaths reads "dpctl/show -s": per datapath a head, then per port five
// or six lines.
func readDatapaths(r *report, text string) (n int) {
	datapath, port, ports := "", "", 0
	finish := func() {
		if datapath != "" {
			r.add(dpPorts, float64(ports), datapath)
			n++
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := datapathName(line); ok {
			finish()
			datapath, port, ports = name, "", 0
			continue
		}
		if datapath == "" {
			continue
		}
		if m := portLine.FindStringSubmatch(line); m != nil {
			port = m[1]
			ports++
			continue
		}
		if ports == 0 {
			readDatapathHead(r, datapath, line)
		} else {
			readPort(r, datapath, port, line)
		}
	}
	finish()
	return n
}

func readDatapathHead(r *report, datapath, line string) {
	name, rest, _ := pair(line)
	switch name {
	case "lookups":
		for result, v := range words(rest) {
			r.add(dpLookups, v, datapath, result)
		}
	case "flows":
		if v, ok := number(rest); ok {
			r.add(dpFlows, v, datapath)
		}
	case "masks":
		values := words(rest)
		if v, ok := values["total"]; ok {
			r.add(dpMasks, v, datapath)
		}
		if v, ok := values["hit"]; ok {
			r.add(dpMaskHit, v, datapath)
		}
	}
}

// portWords are the values of a port's lines that have a metric.
var portWords = map[string]*exporters.Family{"packets": portPackets, "bytes": portBytes, "errors": portErrors, "dropped": portDropped}

// readPort reads "RX packets:250 errors:0 …" and "RX bytes:30116 (29.4 KiB)  TX
// bytes:28444 (27.8 KiB)". A "?" is left out.
func readPort(r *report, datapath, port, line string) {
	direction := ""
	for word := range strings.FieldsSeq(line) {
		switch word {
		case "RX":
			direction = "receive"
			continue
		case "TX":
			direction = "transmit"
			continue
		case "UPCALL":
			return
		}
		name, value, _ := strings.Cut(word, ":")
		v, ok := number(value)
		if f := portWords[name]; f != nil && ok && direction != "" {
			r.add(f, v, datapath, port, direction)
		}
	}
}

// upcallValue is "(current 15)" in "flows : (current 15) (avg 14) (max 20) (limit 20000)".
var upcallValue = regexp.MustCompile(`\((\w+) (\d+)\)`)

func readUpcalls(r *report, text string) (n int) {
	byName := map[string]*exporters.Family{"current": upcallFlows, "avg": upcallFlowsAvg, "max": upcallFlowsMax, "limit": upcallLimit}
	datapath := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := datapathName(line); ok {
			datapath = name
			continue
		}
		name, rest, _ := pair(line)
		switch {
		case datapath == "":
		case name == "flows":
			for _, m := range upcallValue.FindAllStringSubmatch(rest, -1) {
				if v, ok := number(m[2]); ok && byName[m[1]] != nil {
					r.add(byName[m[1]], v, datapath)
					n++
				}
			}
		case name == "dump duration":
			if v, ok := number(strings.TrimSuffix(rest, "ms")); ok {
				r.add(upcallDump, v/1000, datapath)
				n++
			}
		}
	}
	return n
}

// readThreads reads "dpif-netdev/pmd-stats-show": "main thread:" or "pmd thread
// numa_id 0 core_id 3:", then "  emc hits: 301" and "  idle cycles: 12 (4.00%)".
func readThreads(r *report, text string) (n int) {
	thread := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := datapathName(line); ok {
			thread = name
			continue
		}
		name, rest, _ := pair(line)
		rest, _, _ = strings.Cut(rest, " ")
		if v, ok := number(rest); ok && thread != "" {
			n += readThreadValue(r, thread, name, v)
		}
	}
	return n
}

func readThreadValue(r *report, thread, name string, v float64) int {
	cache, isHits := strings.CutSuffix(name, " hits")
	state, isCycles := strings.CutSuffix(name, " cycles")
	switch {
	case name == "packets received":
		r.add(pmdPackets, v, thread)
	case name == "packet recirculations":
		r.add(pmdRecirc, v, thread)
	case name == "miss with success upcall":
		r.add(pmdUpcalls, v, thread, "success")
	case name == "miss with failed upcall":
		r.add(pmdUpcalls, v, thread, "failed")
	case isHits:
		r.add(pmdHits, v, thread, cache)
	case isCycles && (state == "idle" || state == "processing"):
		r.add(pmdCycles, v, thread, state)
	default:
		return 0
	}
	return 1
}

// bfdName is "---- ovn-ch2-0 ----".
var bfdName = regexp.MustCompile(`^---- (.+) ----$`)

func readBFD(r *report, text string) (n int) {
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := bfdName.FindStringSubmatch(line); m != nil {
			name = m[1]
			continue
		}
		switch key, value, _ := pair(line); {
		case name == "":
		case key == "Local Session State":
			r.add(bfdUp, truth(value == "up"), name)
			n++
		case key == "Forwarding":
			r.add(bfdForwarding, truth(value == "true"), name)
			n++
		}
	}
	return n
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
