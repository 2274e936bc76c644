"""Make an API key with an ADMIN key, use it, list it, revoke it.

    FAL_KEY=<an ADMIN key> python keys.py
"""

import libfal

admin = libfal.Client()
key = admin.create_key("made by keys.py")
client = libfal.Client(key.secret())
print("made", key.id, "for", sum(1 for _ in client.platform_list("models.list")), "models")
print("listed:", any(listed["key_id"] == key.id for listed in admin.platform_list("keys.list")))
admin.revoke_key(key.id)
try:
    client.platform("models.list", limit=1)
except libfal.AuthenticationError as refused:
    print("revoked:", refused)
