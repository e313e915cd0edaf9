"""The keys that a configuration may have, and what becomes of each; any other key is a slip, and gets a suggestion.

Must stay true: an unknown key is a warning and never stops anyone (CFG-9); a known key that has no effect here is said, else
people wait for it to work. See tests/config/test_keys.py.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from perdure.config.document import KeyPath
from perdure.config.problem import Findings

HONOURED = frozenset({"name", "main", "build", "vars", "durable_objects", "migrations", "dev"})
# Checked where they are wrong, without any effect where they are right.
HARMLESS = frozenset({"$schema", "compatibility_date", "compatibility_flags", "send_metrics"})
NOT_YET = frozenset(
    {
        "access",
        "account_id",
        "ai",
        "allow_env_migrations",
        "analytics_engine_datasets",
        "assets",
        "base_dir",
        "browser",
        "cache",
        "containers",
        "d1_databases",
        "dispatch_namespaces",
        "env",
        "exports",
        "hyperdrive",
        "images",
        "keep_vars",
        "kv_namespaces",
        "limits",
        "mtls_certificates",
        "observability",
        "pipelines",
        "preview_urls",
        "previews",
        "python_modules",
        "queues",
        "r2_buckets",
        "ratelimits",
        "route",
        "routes",
        "rules",
        "secrets",
        "secrets_store_secrets",
        "send_email",
        "services",
        "streaming_tail_consumers",
        "tail_consumers",
        "triggers",
        "unsafe",
        "vectorize",
        "version_metadata",
        "worker_loaders",
        "workers_dev",
        "workflows",
    }
)
# For JavaScript, for one company's cloud, or for programs of years ago (CFG-14).
WITHOUT_MEANING = frozenset(
    {
        "addresses",
        "alias",
        "cloudchamber",
        "compliance_region",
        "data_blobs",
        "define",
        "find_additional_modules",
        "first_party_worker",
        "jsx_factory",
        "jsx_fragment",
        "keep_names",
        "legacy_env",
        "logfwdr",
        "logpush",
        "minify",
        "no_bundle",
        "node_compat",
        "placement",
        "preserve_file_names",
        "site",
        "text_blobs",
        "tsconfig",
        "type",
        "upload_source_maps",
        "usage_model",
        "wasm_modules",
        "webpack_config",
        "zone_id",
    }
)
TOP_LEVEL = HONOURED | HARMLESS | NOT_YET | WITHOUT_MEANING

DEV_NOT_YET = frozenset(
    {
        "container_engine",
        "enable_containers",
        "generate_types",
        "host",
        "inspector_ip",
        "inspector_port",
        "local_protocol",
        "types",
        "upstream_protocol",
    }
)


# Two letters exchanged in a word of three are 0.67; from here down, words are like each other by accident.
_LIKENESS_MIN = 0.65


def check_top_level(data: Mapping[str, Any], findings: Findings) -> None:
    """Say which keys of the top level have no effect, and why."""
    for key in data:
        if key in NOT_YET:
            findings.warning((key,), "is understood but not supported yet, so it has no effect")
        elif key == "legacy_env" and data[key] is False:
            findings.error(
                (key,),
                "= false does not exist any more",
                "remove the line: an environment is a Worker of its own, called <name>-<environment>",
            )
        elif key in WITHOUT_MEANING:
            findings.warning((key,), "has no meaning here, so it has no effect", "the line can be removed")
        elif key not in TOP_LEVEL:
            warn_unknown((key,), TOP_LEVEL, findings)


def check_section(
    path: KeyPath,
    section: Mapping[str, Any],
    known: Iterable[str],
    findings: Findings,
    *,
    not_yet: Iterable[str] = (),
) -> None:
    """Say which keys of a section are unknown or not supported yet."""
    known, not_yet = frozenset(known), frozenset(not_yet)
    for key in section:
        if key in not_yet:
            findings.warning((*path, key), "is understood but not supported yet, so it has no effect")
        elif key not in known:
            warn_unknown((*path, key), known | not_yet, findings)


def warn_unknown(path: KeyPath, known: Iterable[str], findings: Findings) -> None:
    """Warn of a key that nobody knows, with the one that may be meant."""
    key = str(path[-1])
    near = nearest(key, known)
    if near is None and len(path) > 1 and key in TOP_LEVEL:
        # TOML: whatever follows a [table] line belongs to that table.
        fix = "it belongs to the whole file: move the line up, above the first [table]"
    elif near is None:
        fix = f"known here: {', '.join(sorted(known))}" if len(path) > 1 else "remove it, or correct its spelling"
    else:
        fix = f"did you mean `{near}`?"
    findings.warning(path, "is not a known key, so it has no effect", fix)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`, if one is: `className`, `class-name` and `clas_name` are `class_name`."""
    plain = {each.replace("_", ""): each for each in sorted(known)}
    found = difflib.get_close_matches(word.replace("_", "").replace("-", "").lower(), plain, n=1, cutoff=_LIKENESS_MIN)
    return plain[found[0]] if found else None
