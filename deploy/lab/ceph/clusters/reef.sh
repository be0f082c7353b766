# A small cluster for Ceph 18.2, brought up by the script reef and no part of the lab's default.
fsid=18000000-0000-4000-8000-000000018200
port_base=28789

mons=(a:dc1:reef-ctl1)
mgrs=(x:dc1:reef-ctl1)
osds=(nvme:6G:dc1:reef-stor1 nvme:6G:dc1:reef-stor2 nvme:6G:dc1:reef-stor3)
rules=(reef-nvme:host:nvme)
pools=(reef-nvme:16:2:1:reef-nvme)
images=(reef-nvme:1G:8M)
