"""What `vankho init` writes."""

SETTINGS_TEXT = """\
# Settings of this Vankho workspace. Every key can be overridden from the environment:
# VANKHO_STORES__CLOUD_A__ENDPOINT_URL overrides endpoint_url of [stores.cloud-a].
# Credentials never stand here. They come from the environment, from a named AWS profile (profile = "..."), or from
# vankho.secrets.toml beside this file, which only its owner may read (chmod 600).

[catalog]
url = "sqlite:///catalog.db"          # or postgresql://user@host/vankho

[stores.primary]
kind = "local"
path = "stores/primary"               # relative to this folder; an absolute path must exist (a mounted disk)
provider = "library"                  # provider, region and medium: how policies know which copies lie apart
region = "site-1"
medium = "disk"

# [stores.cloud-a]
# kind = "s3"
# bucket = "vankho-a"
# endpoint_url = "https://s3.example.org"
# region_name = "us-east-1"
# provider = "provider-a"
# region = "site-2"
# medium = "object storage"
#
# vankho.secrets.toml:
#   [stores.cloud-a]
#   access_key_id = "..."
#   secret_access_key = "..."

# A Prefect server in which runs are seen. Without one, commands run just as well; http://127.0.0.1:4200/api is tried.
# [prefect]
# api_url = "http://127.0.0.1:4200/api"
"""
