# One cluster stretched over three datacentres, one copy in each; two of them keep it writable.
fsid=6e000000-0000-4000-8000-000000000dc3
port_base=17789

mons=(a:dc1:geo-dc1-ctl1 b:dc2:geo-dc2-ctl1 c:dc3:geo-dc3-ctl1)
mgrs=(x:dc1:geo-dc1-ctl1 y:dc2:geo-dc2-ctl1)
osds=(nvme:10G:dc1:geo-dc1-stor1 nvme:10G:dc2:geo-dc2-stor1 nvme:10G:dc3:geo-dc3-stor1)
rules=(geo-nvme:datacenter:nvme)
pools=(geo-nvme:32:3:2:geo-nvme)
images=(geo-nvme:2G:16M geo-nvme:1G:8M)
