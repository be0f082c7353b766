// Package collector wires Prometheus's own parts into the collector: scraping and
// discovery write into a TSDB that holds the hot hours, rules read from it and page
// through Alertmanager, and Prometheus's HTTP API answers from it and from the
// long-term store. What Prometheus does not do lies in the packages below: shipper
// carries the samples to the store, query joins both, httpapi serves.
//
// Begin with New, then Run. The configuration is a Prometheus configuration; its
// remote_write, remote_read and tracing sections are not run.
package collector
