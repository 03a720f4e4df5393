// Any text as configuration: errors with a line, never a crash; what is accepted survives printing.
#include <cstdlib>

#include "common/config/config.hpp"

namespace {

struct Values {
  std::string text;
  std::string path;
  std::vector<std::string> list;
  bool flag = false;
  std::int64_t number = 1;
  std::uint64_t bytes = 1;
  std::chrono::milliseconds time{1};
};

fw::config::Schema schema_of(Values& v) {
  fw::config::Schema schema("fuzz");
  schema.text({.name = "a.text", .help = "h", .check = fw::config::check_host_port}, v.text);
  schema.path({.name = "a.path", .help = "h"}, v.path);
  schema.list({.name = "list", .help = "h"}, v.list);
  schema.boolean({.name = "flag", .help = "h"}, v.flag);
  schema.integer({.name = "number", .help = "h", .min = -5, .max = 1'000'000}, v.number);
  schema.bytes({.name = "bytes", .help = "h"}, v.bytes);
  schema.duration({.name = "time", .help = "h"}, v.time);
  return schema;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Values values;
  auto schema = schema_of(values);
  const auto problems = schema.load_text("f.yaml", {reinterpret_cast<const char*>(data), size});
  if (problems.size() > 10'000) std::abort();
  (void)schema.print();
  return 0;
}
