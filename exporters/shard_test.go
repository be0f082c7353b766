package exporters

import (
	"fmt"
	"testing"
)

func TestShardsDivideEverythingOnce(t *testing.T) {
	for _, of := range []int{0, 1, 2, 3, 7} {
		owned := make([]int, max(of, 1))
		for k := range 1000 {
			owners := 0
			for i := range max(of, 1) {
				if (Shard{i, of}).Owns(fmt.Sprint("key", k)) {
					owners++
					owned[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("%d of %d shards own key %d", owners, of, k)
			}
		}
		for i, n := range owned {
			if fair := 1000 / len(owned); n < fair*6/10 || n > fair*14/10 {
				t.Errorf("shard %d of %d owns %d keys of 1000", i, of, n)
			}
		}
	}
}

func TestOneShardMoreMovesLittle(t *testing.T) {
	owner := func(of int, key string) int {
		for i := range of {
			if (Shard{i, of}).Owns(key) {
				return i
			}
		}
		return -1
	}
	for k := range 1000 {
		key := fmt.Sprint("key", k)
		if before, after := owner(3, key), owner(4, key); before != after && after != 3 {
			t.Fatalf("%s moved from shard %d to %d when shard 3 came", key, before, after)
		}
	}
}

func TestShardKeepsASystemTogether(t *testing.T) {
	var sources []Source
	for _, system := range []string{"nova", "placement", "neutron", "cinder", "ceph"} {
		for _, name := range []string{"a", "b", "c"} {
			sources = append(sources, Source{Name: system + "_" + name, System: system, Const: map[string]string{"cloud": "lab"}})
		}
	}
	total := 0
	for i := range 2 {
		own := Shard{i, 2}.Own(sources)
		total += len(own)
		if len(own)%3 != 0 {
			t.Errorf("shard %d has %d sources: a system is divided", i, len(own))
		}
	}
	if total != len(sources) {
		t.Errorf("the shards have %d of %d sources", total, len(sources))
	}
}
