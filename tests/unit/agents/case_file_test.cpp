#include "agents/casefile/case_file.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>

#include "story.hpp"

namespace fw::agents {
namespace {

CaseFile sample() { return std::move(*CaseFile::build(limit_lowered().facts)); }
std::int64_t number(const SqlTable& table) { return std::get<std::int64_t>(table.rows.at(0).at(0)); }

// The bytes of a database after running SQL on a stored case file, as somebody with the sqlite3 tool could make them.
std::string tampered(const std::string& sql) {
  const std::string bytes = sample().serialize();
  sqlite3* db = nullptr;
  sqlite3_open(":memory:", &db);
  auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), copy);
  const auto size = static_cast<sqlite3_int64>(bytes.size());
  sqlite3_deserialize(db, "main", copy, size, size, SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
  char* problem = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &problem), SQLITE_OK) << problem;
  sqlite3_free(problem);
  sqlite3_int64 out_size = 0;
  unsigned char* out = sqlite3_serialize(db, "main", &out_size, 0);
  std::string result{out, out + out_size};
  sqlite3_free(out);
  sqlite3_close(db);
  return result;
}

TEST(CaseFile, numbers_evidence_in_time_order_over_all_tables) {
  const CaseFile file = sample();
  const auto rows = file.query(
      "select evidence_id from (select evidence_id, time_ns as t from events union all select evidence_id, started_ns from changes "
      "union all select evidence_id, first_ns from symptoms union all select evidence_id, onset_ns from anomalies) "
      "order by t, cast(substr(evidence_id, 2) as integer)");
  ASSERT_TRUE(rows) << rows.error().message();
  std::int64_t last = 0;
  for (const auto& row : rows->rows) {
    const std::int64_t id = std::stoll(std::get<std::string>(row[0]).substr(1));
    EXPECT_GT(id, last);
    last = id;
  }
  EXPECT_GT(last, 15);
}

TEST(CaseFile, binds_parameters_by_name_and_ignores_those_not_used) {
  const auto rows = sample().query("select :a + 1, :text", {{":a", std::int64_t{41}}, {":text", std::string{"x'y"}}, {":unused", 1.5}});
  ASSERT_TRUE(rows) << rows.error().message();
  EXPECT_EQ(rows->rows[0][0], SqlValue{std::int64_t{42}});
  EXPECT_EQ(rows->rows[0][1], SqlValue{std::string{"x'y"}});
}

TEST(CaseFile, refuses_everything_but_reading_itself) {
  const CaseFile file = sample();
  for (const char* sql : {"delete from events", "update incident set id = 'x'", "create table t (x)", "drop view subject", "insert into meta values ('a','b')",
                          "create temp table t (x)", "attach '/etc/passwd' as p", "pragma journal_mode", "vacuum into '/tmp/x'", "begin", "analyze",
                          "select load_extension('/tmp/x')", "select random()", "select writefile('/tmp/x', 'y')", "select 1; select 2", "", "-- nothing",
                          "select * from no_such_table", "selec 1", "select \"no such column\" from events"}) {
    const auto result = file.query(sql);
    ASSERT_FALSE(result) << sql;
    EXPECT_EQ(result.error().code, make_error_code(Errc::invalid_argument)) << sql << ": " << result.error().message();
  }
  EXPECT_EQ(number(*file.query("select count(*) from meta")), 4);
}

TEST(CaseFile, stops_at_the_row_limit_and_says_so) {
  const auto result = sample().query("select * from series", {}, {.max_rows = 5});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->rows.size(), 5U);
  EXPECT_TRUE(result->truncated);
  EXPECT_FALSE(sample().query("select * from series limit 5", {}, {.max_rows = 5})->truncated);
}

TEST(CaseFile, ends_a_query_that_runs_too_long_or_grows_too_large) {
  const CaseFile file = sample();
  for (const char* sql : {"with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
                          "with recursive r(s) as (select zeroblob(200000) union all select s from r) select count(*) from (select s from r order by s)",
                          "select hex(zeroblob(100000000))",
                          "with recursive r(n) as (select 1 union all select n + 1 from r limit 200) select zeroblob(200000) from r"}) {
    const auto result = file.query(sql, {}, {.max_steps = 1'000'000});
    ASSERT_FALSE(result) << sql;
    EXPECT_EQ(result.error().code, make_error_code(Errc::too_large)) << sql << ": " << result.error().message();
  }
  EXPECT_TRUE(file.query("select 1")) << "the file still answers";
}

TEST(CaseFile, loads_only_its_own_schema) {
  for (const char* sql : {"create trigger t after insert on meta begin select 1; end", "create view evil as select load_extension('/tmp/x')",
                          "drop view subject; create view subject as select 1 as entity_id", "create table extra (x)", "alter table events add column x",
                          "drop index series_by_metric", "analyze", "drop table past_incidents", "update meta set value = '2' where key = 'schema_version'",
                          "delete from meta"}) {
    const auto result = CaseFile::load(tampered(sql));
    ASSERT_FALSE(result) << sql;
    EXPECT_EQ(result.error().code, make_error_code(Errc::malformed)) << sql;
  }
  EXPECT_TRUE(CaseFile::load(tampered("update incident set state = 'closed'")));
}

TEST(CaseFile, survives_values_of_the_wrong_type) {
  const auto file = CaseFile::load(tampered(
      "update events set time_ns = 'soon', limit_bytes = x'00ff', kills = 1e300, comm = 7; update incident set onset_ns = 9223372036854775807;"
      "update changes set started_ns = -9223372036854775808, entity_id = 'x'; update series set value = 'much'; update symptoms set count = 'many', first_ns = -9223372036854775808"));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_TRUE(investigate(*file, Cards::builtin()));
}

TEST(CaseFile, refuses_bytes_that_are_no_case_file) {
  const std::string good = sample().serialize();
  for (const std::string& bytes : {std::string{}, std::string{"SQLite format 3"}, std::string(4096, '\0'), std::string(100'000, 'x'), good.substr(0, 4096)}) {
    const auto result = CaseFile::load(bytes);
    ASSERT_FALSE(result) << bytes.size();
    EXPECT_EQ(result.error().code, make_error_code(Errc::malformed)) << result.error().message();
  }
}

TEST(CaseFile, damaged_bytes_give_an_error_or_a_file_that_answers) {
  const std::string good = sample().serialize();
  std::mt19937 random{7};
  for (int round = 0; round < 40; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 8; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto file = CaseFile::load(bytes);
    if (file) { (void)investigate(*file, Cards::builtin()); }
  }
}

TEST(CaseFile, functions_for_people_are_there) {
  const auto row = sample().query("select size(268435456), size(1536), size(-1), size(null), utc(1790000000000000000), median(value) from "
                                  "(select 1 as value union all select 9 union all select 3 union all select null)");
  ASSERT_TRUE(row) << row.error().message();
  EXPECT_EQ(row->rows[0], (std::vector<SqlValue>{std::string{"256 MiB"}, std::string{"1.5 KiB"}, std::string{"no limit"}, std::monostate{},
                                                std::string{"14:13:20 UTC"}, 3.0}));
}

TEST(CaseFile, limit_that_was_noticed_after_the_first_kill_is_known_from_before) {
  const CaseFile file = sample();
  EXPECT_EQ(number(*file.query("select limit_bytes from limit_before")), 256 * kMiB);
  EXPECT_EQ(number(*file.query("select limit_bytes from limit_at_onset")), 64 * kMiB);
  EXPECT_EQ(number(*file.query("select peak_bytes from use_before")), 180 * kMiB);
}

TEST(CaseFile, container_that_was_made_again_is_the_same_subject) {
  Story s = limit_lowered();
  s.entity(9, "container", "checkout-again", "/shop/checkout");
  s.facts.subject_id = 9;
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
}

TEST(CaseFile, limit_of_an_ancestor_is_read_where_it_was_hit) {
  Story s = limit_lowered();
  s.entity(9, "pod", "shop", "/shop");
  for (auto& e : s.facts.events) {
    if (e.kind == "oom_kill") e.limit_cgroup_path = "/shop";
    if (e.kind == "limit_changed") e.entity_id = 9;
  }
  for (auto& row : s.facts.series)
    if (row.metric == "memory_limit_bytes") row.entity_id = 9;
  s.limit(kNow - 10 * kMinute, kNow, -1);
  const auto f = explain(s);
  ASSERT_EQ(cause(f), "memory-limit-lowered") << ranking(f);
  EXPECT_EQ(f.cause()->by_hand, std::vector<std::string>{"echo 268435456 > /sys/fs/cgroup/memory/shop/memory.limit_in_bytes"});
}

TEST(CaseFile, limit_of_a_cgroup_that_is_not_in_the_file_is_not_compared_with_the_subjects_own) {
  Story s = demand_grew();
  std::erase_if(s.facts.series, [](const SeriesRow& row) { return row.metric == "memory_limit_bytes"; });
  s.limit(kNow - 10 * kMinute, kNow + 50 * kSecond, -1);
  for (auto& e : s.facts.events)
    if (e.kind == "oom_kill") e.limit_cgroup_path = "/shop";
  const auto f = explain(s);
  EXPECT_EQ(cause(f), "memory-demand-grew") << ranking(f);
}

}  // namespace
}  // namespace fw::agents
