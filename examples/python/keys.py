"""Creates an API key with an ADMIN key, uses, lists and revokes it, and shows that fal then refuses it. Prints no secret.

    FAL_KEY=<an ADMIN key> python keys.py
"""

import libfal

admin = libfal.SyncClient()
key = admin.create_key("made by keys.py")
client = libfal.SyncClient(key.secret())
prices = client.platform("models.pricing", endpoint_id=["fal-ai/flux/dev", "fal-ai/flux/schnell"])["prices"]
print(f"made {key.id}, which reads {len(prices)} prices")
print("listed:", "yes" if any(one["key_id"] == key.id for one in admin.platform.keys.list()) else "no")
admin.revoke_key(key.id)
try:
    client.platform("models.pricing", endpoint_id="fal-ai/flux/dev").page()
except libfal.AuthenticationError as refused:
    print("revoked:", refused)
