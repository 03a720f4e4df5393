// Rows to and from SQL. Inside aggregator/store only.
#pragma once
#include "aggregator/store/sqlite.hpp"
#include "aggregator/store/store.hpp"

namespace fw::store {

// Applies one write inside the open transaction; errors stay in the database object.
Written apply(sqlite::Database& database, const Write& write);

inline constexpr std::string_view kChangeColumns =
    "id, source, source_key, change_group, object_cluster, object_kind, object_namespace, object_name, object_uid, object_cgroup_path, "
    "object_container_id, object_node, actor, revision, title, environment, url, started_ns, finished_ns, outcome, fields, received_ns";
changes::Change read_change(const sqlite::Query& query);

}  // namespace fw::store
