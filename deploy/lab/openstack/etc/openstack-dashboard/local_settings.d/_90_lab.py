ALLOWED_HOSTS = ['127.0.0.1', 'localhost']
OPENSTACK_HOST = '127.0.0.1'
OPENSTACK_KEYSTONE_URL = 'http://127.0.0.1:5000/v3'
OPENSTACK_API_VERSIONS = {'identity': 3, 'image': 2, 'volume': 3}
SESSION_ENGINE = 'django.contrib.sessions.backends.cache'
CACHES = {'default': {'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache',
                      'LOCATION': '127.0.0.1:11211'}}
COMPRESS_OFFLINE = True
CSRF_COOKIE_SECURE = False
SESSION_COOKIE_SECURE = False
LOCAL_PATH = '/var/lib/lab'
