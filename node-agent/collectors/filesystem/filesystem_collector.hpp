// Space and inodes of the node's filesystems, at regular ticks; entities of kind filesystem, named by mount point.
//
// Events: filesystem_read_only about a filesystem that was writable; object is its mount point, before "rw", after "ro".
//
// Limits: local filesystems only (mounts.hpp), kMaxFilesystems of them. A filesystem of a server could block the agent's one thread.
// Cost: one statfs(2) each, and the mount table when it changed, else once a minute.
#pragma once
#include <memory>
#include <string>

#include "node-agent/collectors/collector.hpp"

namespace fw::collectors {

struct FilesystemPaths {
  std::string proc = "/proc";
  std::string root;              // put before every mount point
};

std::unique_ptr<Collector> make_filesystem_collector(FilesystemPaths paths);
const CollectorInfo& filesystem_collector_info() noexcept;

}  // namespace fw::collectors
