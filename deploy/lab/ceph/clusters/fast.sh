# One cluster with three tiers told apart by device class, each on two of three hosts, two copies.
fsid=5e0b1fa5-0000-4000-8000-00000000fa57
port_base=16789 # mons from here; OSDs and mgrs +100..+399; the mgr's own exporter +90

mons=(a:dc1:fast-ctl1) # name:datacentre:host
mgrs=(x:dc1:fast-ctl1)
osds=( # class:size:datacentre:host, ids in this order; sizes differ so that no tier is mistaken for another
  nvme:8G:dc1:fast-stor1
  nvme:8G:dc1:fast-stor2
  sas10k:12G:dc1:fast-stor2
  sas10k:12G:dc1:fast-stor3
  sas7k:20G:dc1:fast-stor3
  sas7k:20G:dc1:fast-stor1
)
rules=(nvme:host:nvme sas10k:host:sas10k sas7k:host:sas7k)      # name:failure domain:class
pools=(nvme:16:2:1:nvme sas10k:16:2:1:sas10k sas7k:16:2:1:sas7k) # name:PGs:copies:least copies:rule
images=(nvme:2G:24M nvme:1G:8M sas10k:3G:16M sas7k:4G:32M sas7k:1G:4M) # pool:size:written
