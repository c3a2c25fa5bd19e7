"""Style sheets, scripts and fonts of the pages, made small and put under names that no other build uses.

`manage.py compress_assets` has esbuild bundle each file that lies directly in `frontend/`, with all that it imports from
there and from `node_modules/`, into this app's static files. Their names carry the stamp of the build, as in
`site-3360f09a1b2c.css`, and a manifest says which is which; the tags of `{% load bundles %}` read it:

    {% stylesheet "site" %} {% script "site" %} {% preload_font "figtree-latin-wght-normal" %}

collectstatic comes after it, and takes the bundles as it takes any static file.
"""
