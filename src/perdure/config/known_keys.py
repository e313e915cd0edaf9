"""The keys that a configuration may have: the one place where they are declared.

Must stay true: a key that is read is declared here, and what is declared as honoured is read (tests/config/test_schema.py);
what the checks of the other modules need to know of a shape, they take from here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from perdure.config.key import Key, ListOf, Number, Status, Table, Text, Values, not_yet, without_meaning

# A name becomes a label of a host name, and the DNS takes 63 characters (RFC 1035).
NAME_CHARS_MAX = 63
NAME_PATTERN = "[a-z0-9_][a-z0-9_-]*"
DAY_PATTERN = r"\d{4}-\d{2}-\d{2}"
PORT_MAX = 65_535
PAST_DAYS_MAX = 3_650
PAST_BYTES_MAX = 2**50
UPLOAD_FORMATS = ("modules", "service-worker")
LOCAL_PROTOCOLS = ("http", "https")


def _table(**keys: Key) -> Mapping[str, Key]:
    return MappingProxyType(keys)


BINDING_KEYS = _table(
    name=Key("The name under which the code finds the namespace: `env.ROOM`.", Text(), is_required=True),
    class_name=Key("The class of the objects: its name in the main module.", Text(), is_required=True),
    script_name=Key(
        "The Worker that has the class, if it is another one. Only this Worker's own name is supported so far.",
        Text(),
        default="this Worker",
    ),
    environment=Key(
        "The environment of the Worker of `script_name`, which is then `<script_name>-<environment>`.", Text()
    ),
)

RENAME_KEYS = MappingProxyType(
    {
        "from": Key("The class's name so far.", Text(), is_required=True),
        "to": Key("Its new name.", Text(), is_required=True),
    }
)

TRANSFER_KEYS = MappingProxyType(
    {
        "from": Key("The class's name in the other Worker.", Text(), is_required=True),
        "from_script": Key("The Worker that has the objects so far.", Text(), is_required=True),
        "to": Key("The class's name in this Worker.", Text(), is_required=True),
    }
)

MIGRATION_KEYS = _table(
    tag=Key("What this entry is called, once in the list: it is applied once.", Text(), is_required=True),
    new_sqlite_classes=Key("Classes that begin here; their objects have key-value storage and SQL.", ListOf(Text())),
    new_classes=Key("Classes that begin here, with key-value storage only.", ListOf(Text())),
    renamed_classes=Key("Classes that get another name and keep their objects.", ListOf(Table(RENAME_KEYS))),
    deleted_classes=Key("Classes that end here, **with all that their objects have stored**.", ListOf(Text())),
    transferred_classes=Key(
        "Classes whose objects come from another Worker. So far the class begins without them.",
        ListOf(Table(TRANSFER_KEYS)),
    ),
)

UPLOAD_KEYS = _table(
    main=Key("The main module's file, relative to `dir`.", Text()),
    dir=Key("The folder of the main module.", Text(), default='`"dist"`'),
    format=Key('How the code is packed. Only `"modules"` works with object classes.', Text(values=UPLOAD_FORMATS)),
    rules=not_yet("Which files are modules of which kind."),
)

BUILD_KEYS = _table(
    upload=Key("The old way to name the main module; `main` replaces it.", Table(UPLOAD_KEYS)),
    command=not_yet("A command that makes the code."),
    cwd=not_yet("Where that command runs."),
    watch_dir=not_yet("What is watched to run it again."),
)

DEV_KEYS = _table(
    ip=Key("The address that `perdure dev` listens on.", Text(), default='`"127.0.0.1"`: this machine only'),
    port=Key(
        "The port that `perdure dev` listens on; 0 takes any that is free.",
        Number(0, PORT_MAX),
        default="8787, or one nearby if that is taken",
    ),
    local_protocol=Key(
        'How `perdure dev` is reached. `"https"` has no effect so far: give `--cert` and `--key`.',
        Text(values=LOCAL_PROTOCOLS),
        default='`"http"`',
    ),
    container_engine=not_yet("What runs containers."),
    enable_containers=not_yet("Whether containers run."),
    generate_types=not_yet("Whether types are written while the code changes."),
    host=not_yet("The host name that `request.url` shows."),
    inspector_ip=not_yet("The address of the debugger."),
    inspector_port=not_yet("The port of the debugger."),
    types=not_yet("What the written types contain."),
    upstream_protocol=not_yet("The protocol that `request.url` shows."),
)

STORAGE_KEYS = _table(
    past_days=Key("For how many days an object can go back to what it was.", Number(1, PAST_DAYS_MAX), default="30"),
    past_bytes=Key(
        "How much of the past is kept for the objects of one class together, in bytes; of more, the oldest goes first.",
        Number(0, PAST_BYTES_MAX),
        default="as much as there is now, or 1 GiB if that is more",
    ),
)

_HONOURED = _table(
    name=Key(
        "The Worker's name: lower-case letters, digits, `-` and `_`.",
        Text(pattern=NAME_PATTERN, chars_max=NAME_CHARS_MAX),
        is_required=True,
    ),
    main=Key(
        "The main module's file, relative to the configuration. Needed, except in a `# /// wrangler` block.", Text()
    ),
    vars=Key(
        "Values that the code finds under their names: `env.GREETING`. What JSON can say, but no dates.", Values()
    ),
    secrets=Key(
        "Which secrets the Worker needs. Their values are not here but in `.dev.vars` or `.env`.",
        Table(
            _table(
                required=Key(
                    "Names of secrets. One that is missing is a warning; once this is there, no other names are taken "
                    "from the files, save those of `vars`.",
                    ListOf(Text()),
                )
            )
        ),
    ),
    durable_objects=Key(
        "Which classes of objects the code reaches.",
        Table(_table(bindings=Key("One table for each name.", ListOf(Table(BINDING_KEYS)), is_required=True))),
    ),
    migrations=Key(
        "What became of the object classes, in order. Entries are only ever added.", ListOf(Table(MIGRATION_KEYS))
    ),
    dev=Key("What `perdure dev` does if the command line does not say.", Table(DEV_KEYS)),
    storage=Key("What is kept of the past of objects. No key of Cloudflare's.", Table(STORAGE_KEYS)),
    build=Key("The old way to name the main module.", Table(BUILD_KEYS)),
)

_HARMLESS = MappingProxyType(
    {
        "$schema": Key("The schema that editors check this file by.", status=Status.HARMLESS),
        "compatibility_date": Key(
            "The day whose behaviour is wanted. Nothing here depends on it.", Text(pattern=DAY_PATTERN), Status.HARMLESS
        ),
        "compatibility_flags": Key(
            "Changes of behaviour that are wanted. Nothing here depends on them.", ListOf(Text()), Status.HARMLESS
        ),
        "send_metrics": Key("Whether the tool reports its use. This one never does.", status=Status.HARMLESS),
    }
)

_NOT_YET = _table(
    access=not_yet("Who may reach the Worker."),
    account_id=not_yet("The account that the Worker belongs to."),
    ai=not_yet("A binding to models."),
    allow_env_migrations=not_yet("Whether an environment may have migrations of its own."),
    analytics_engine_datasets=not_yet("Bindings to datasets of events."),
    assets=not_yet("A folder of files that are served as they are."),
    base_dir=not_yet("The folder that module names are relative to."),
    browser=not_yet("A binding to a browser."),
    cache=not_yet("How answers are kept."),
    containers=not_yet("Containers beside the objects."),
    d1_databases=not_yet("Bindings to SQL databases. Their names are taken already."),
    dispatch_namespaces=not_yet("Bindings to Workers of customers."),
    env=not_yet("Environments: what differs from the rest of the file for one of them."),
    exports=not_yet("The object classes as they are to be, in place of `migrations`."),
    hyperdrive=not_yet("Bindings to databases elsewhere."),
    images=not_yet("A binding to image conversion."),
    keep_vars=not_yet("Whether variables that were set elsewhere stay."),
    kv_namespaces=not_yet("Bindings to key-value namespaces. Their names are taken already."),
    limits=not_yet("How much one request may use."),
    mtls_certificates=not_yet("Bindings to client certificates."),
    observability=not_yet("What is recorded of each request."),
    pipelines=not_yet("Bindings to streams of records."),
    preview_urls=not_yet("Whether versions get a host name of their own."),
    previews=not_yet("What differs for previews."),
    python_modules=not_yet("Which Python files are left out of the bundle."),
    queues=not_yet("Bindings to queues, and consumers of them."),
    r2_buckets=not_yet("Bindings to buckets of files. Their names are taken already."),
    ratelimits=not_yet("Bindings that count and refuse."),
    route=not_yet("The host name and path that the Worker answers."),
    routes=not_yet("The host names and paths that the Worker answers."),
    rules=not_yet("Which files are modules of which kind."),
    secrets_store_secrets=not_yet("Bindings to secrets that are kept for many Workers."),
    send_email=not_yet("Bindings that send mail."),
    services=not_yet("Bindings to other Workers. Their names are taken already."),
    streaming_tail_consumers=not_yet("Workers that get this one's logs as they are written."),
    tail_consumers=not_yet("Workers that get this one's logs."),
    triggers=not_yet("When `scheduled` runs: `crons`."),
    unsafe=not_yet("What has no key of its own."),
    vectorize=not_yet("Bindings to indexes of vectors."),
    version_metadata=not_yet("A binding that says which version runs."),
    worker_loaders=not_yet("Bindings that load code as it comes."),
    workers_dev=not_yet("Whether the Worker gets a host name by itself."),
    workflows=not_yet("Bindings to programs of many steps."),
)

_WITHOUT_MEANING = _table(
    addresses=without_meaning("Mail addresses."),
    alias=without_meaning("Modules that stand for others in a JavaScript bundle."),
    cloudchamber=without_meaning("Containers of a company's cloud."),
    compliance_region=without_meaning("A region of a company's cloud."),
    data_blobs=without_meaning("Files for Workers without modules."),
    define=without_meaning("Names that a JavaScript bundle replaces."),
    find_additional_modules=without_meaning("Whether a JavaScript bundle takes in modules that it does not import."),
    first_party_worker=without_meaning("For a company's own Workers."),
    jsx_factory=without_meaning("How JSX is compiled."),
    jsx_fragment=without_meaning("How JSX is compiled."),
    keep_names=without_meaning("Whether a JavaScript bundle keeps function names."),
    legacy_env=without_meaning("How environments were named once. They are Workers called `<name>-<environment>`."),
    logfwdr=without_meaning("Where a company's cloud sends logs."),
    logpush=without_meaning("Where a company's cloud sends logs."),
    minify=without_meaning("Whether a JavaScript bundle is made small."),
    no_bundle=without_meaning("Whether JavaScript is left as it is. Python always is."),
    node_compat=without_meaning("Modules of another runtime."),
    placement=without_meaning("Where in a company's cloud the Worker runs."),
    preserve_file_names=without_meaning("Whether a JavaScript bundle keeps file names."),
    site=without_meaning("Files of a site, as it was once written."),
    text_blobs=without_meaning("Files for Workers without modules."),
    tsconfig=without_meaning("How TypeScript is compiled."),
    type=without_meaning("The language, as it was once written."),
    upload_source_maps=without_meaning("Whether source maps go along with a JavaScript bundle."),
    usage_model=without_meaning("What a company's cloud charges for."),
    wasm_modules=without_meaning("Files for Workers without modules."),
    webpack_config=without_meaning("How JavaScript was once bundled."),
    zone_id=without_meaning("A domain in a company's cloud."),
)

KEYS: Mapping[str, Key] = MappingProxyType({**_HONOURED, **_HARMLESS, **_NOT_YET, **_WITHOUT_MEANING})
"""The keys of the whole file."""
