package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// memory sends some scrapes of so many series to both receivers, and says how much
// memory each has afterwards.
func memory(ctx context.Context, s size, dir string) error {
	for _, text := range strings.Split(s.memorySeries, ",") {
		series, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || series < 1 {
			return fmt.Errorf("-memory-series %q: want numbers of series, with commas between", s.memorySeries)
		}
		fmt.Printf("memory: %d active series, each sent %d times\n", series, s.memoryScrapes)
		var peer received
		for _, name := range []string{"prometheus", "mcloud"} {
			m, err := receive(ctx, name, series, s.memoryScrapes, filepath.Join(dir, text, name))
			if err != nil {
				return fmt.Errorf("receiver %s: %w", name, err)
			}
			fmt.Printf("  %-11s RSS %s; %.1f s processor\n", name, m.memory(), m.cpu.Seconds())
			if name == "prometheus" {
				peer = m
			} else {
				fmt.Printf("  %.2f × Prometheus's RSS, %.2f × its most (to reach: 1.3)\n", float64(m.rss)/float64(peer.rss), float64(m.peak)/float64(peer.peak))
			}
		}
	}
	fmt.Println()
	return nil
}
