package main

import "testing"

func TestBarbican(t *testing.T) {
	theirs := barbicanReadings(
		decode[[]barbicanSecret](t, `[{"Secret href":"http://b/v1/secrets/1","Name":"a","Status":"ACTIVE","Secret type":"certificate","Expiration":null},
			{"Status":"ACTIVE","Secret type":"certificate"},{"Status":"ACTIVE","Secret type":"opaque"}]`),
		decode[[]barbicanOrder](t, `[{"Order href":"http://b/v1/orders/1","Type":"Key","Status":"ACTIVE"}]`),
		decode[[]barbicanContainer](t, `[{"Container href":"http://b/v1/containers/1","Type":"generic"}]`))
	ours := barbicanOurs(pageOf(t, `
openstack_barbican_secrets{cloud="lab",project_id="p",secret_type="certificate",status="ACTIVE"} 2
openstack_barbican_secrets{cloud="lab",project_id="p",secret_type="opaque",status="ACTIVE"} 1
openstack_barbican_orders{cloud="lab",project_id="p",status="ACTIVE",type="key"} 1
openstack_barbican_containers{cloud="lab",project_id="p",type="generic"} 1
`))
	wantSame(t, ours, theirs)
}

func TestMasakari(t *testing.T) {
	theirs := masakariReadings(
		decode[[]failoverSegment](t, `[{"uuid":"1","name":"seg-a","service_type":"COMPUTE","recovery_method":"auto","is_enabled":true}]`),
		decode[[]failoverHost](t, `[{"uuid":"2","name":"cmp-a1","type":"COMPUTE","reserved":false,"on_maintenance":true}]`),
		decode[[]failureNotification](t, `[{"notification_uuid":"3","status":"finished","type":"VM"},{"status":"finished","type":"VM"}]`))
	ours := masakariOurs(pageOf(t, `
openstack_masakari_segment_info{cloud="lab",segment_id="1",name="seg-a",service_type="COMPUTE",recovery_method="auto"} 1
openstack_masakari_segment_enabled{cloud="lab",segment_id="1"} 1
openstack_masakari_host_on_maintenance{cloud="lab",host="cmp-a1",segment_id="1"} 1
openstack_masakari_host_reserved{cloud="lab",host="cmp-a1",segment_id="1"} 0
openstack_masakari_notifications{cloud="lab",type="VM",status="finished"} 2
`))
	wantSame(t, ours, theirs)
}

func TestHorizon(t *testing.T) {
	theirs := horizonReadings(decode[answered](t, `{"http_code":200,"size_download":9196,"time_total":0.3}`), `<form><input name="csrfmiddlewaretoken"></form>`)
	ours := horizonOurs(pageOf(t, `
openstack_horizon_login_status_code{cloud="lab"} 200
openstack_horizon_login_form{cloud="lab"} 1
`))
	wantSame(t, ours, theirs)
}
