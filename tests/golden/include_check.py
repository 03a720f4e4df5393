#!/usr/bin/env python3
"""include_check.py ROOT: holds the dependency direction and the doors of third-party headers (docs/architecture.md).

Prints `FAIL file:line: why` for each breach, else one PASS line per rule set.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
PARTS = ["common", "protocol", "node-agent", "agents", "aggregator"]

# part -> parts that it may include (itself always)
MAY_INCLUDE = {
    "common": set(),
    "protocol": {"common"},
    "node-agent": {"common", "protocol"},
    "agents": {"common"},
    "aggregator": {"common", "protocol", "agents"},
}

# header pattern -> folders that may include it. One door per library.
DOORS = [
    (r"bpf/|.*\.skel\.h$", ["node-agent/kernel", "node-agent/bpf"]),
    (r"linux/bpf\.h", ["node-agent/kernel", "node-agent/bpf"]),
    (r"(capnp|kj)/|.*\.capnp\.h$", ["protocol/wire", "protocol/authority", "cmake"]),
    (r"zstd", ["protocol/wire"]),
    (r"openssl/", ["protocol/transport", "protocol/authority"]),
    (r"sqlite3", ["aggregator/store", "agents/casefile"]),
    (r"boost/beast", ["aggregator/api"]),
    (r"curl/", ["common/http"]),
    (r"yaml-cpp/", ["common/config", "agents/cards", "aggregator/cli/policy"]),
    (r"CLI/", ["aggregator/cli", "aggregator/app", "node-agent/app", "node-agent/executor"]),
    (r"spdlog/", ["common"]),
    (r"prometheus/", ["aggregator/metrics", "aggregator/api"]),
    (r"cap-ng", ["node-agent/app", "node-agent/probes", "node-agent/kernel", "node-agent/executor"]),
    (r"seccomp\.h", ["node-agent/executor"]),
    (r"nghttp2/|google/protobuf/|.*\.pb\.h$", ["node-agent/cri"]),
    (r"re2/", ["node-agent/redaction", "node-agent/collectors/kernel_log"]),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
breaches, files = [], 0
for part in PARTS:
    for path in sorted((ROOT / part).rglob("*")):
        if path.suffix not in (".hpp", ".cpp", ".h", ".c"):
            continue
        files += 1
        rel = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, header = match.groups()
            target = header.split("/")[0]
            if target in PARTS and target != part and target not in MAY_INCLUDE[part]:
                breaches.append(f"{rel}:{number}: {part} may not include {target} ({header})")
            for pattern, doors in DOORS:
                if target not in PARTS and re.match(pattern, header) and not any(rel.startswith(door + "/") for door in doors):
                    breaches.append(f"{rel}:{number}: {header} may be included in {', '.join(doors)} only")
        if path.suffix == ".hpp" and "#pragma once" not in path.read_text(errors="replace"):
            breaches.append(f"{rel}:1: no #pragma once")

for breach in breaches:
    print(f"FAIL include_check: {breach}")
if not breaches and files:
    print("PASS include_check")
sys.exit(1 if breaches or not files else 0)
