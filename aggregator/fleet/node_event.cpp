#include "aggregator/fleet/node_event.hpp"

#include <boost/json.hpp>

namespace fw::fleet {
namespace {

namespace json = boost::json;
using Body = decltype(wire::Event::body);

// One list of fields per struct serves both directions: Writer puts them into an object, Reader takes them out.
class Writer {
 public:
  json::object object;

  template <class T>
  void operator()(std::string_view name, const T& value) {
    if constexpr (std::is_enum_v<T>) {
      object[name] = static_cast<std::uint64_t>(value);
    } else {
      object[name] = value;
    }
  }
  template <class T>
  void operator()(std::string_view name, const std::optional<T>& value) {
    if (value) (*this)(name, *value);
  }
  void operator()(std::string_view name, const wire::ProcessInfo& value);
  void operator()(std::string_view name, const std::vector<wire::ProcessInfo>& values);
  void text_if_any(std::string_view name, const std::string& value) {
    if (!value.empty()) object[name] = value;
  }
};

class Reader {
 public:
  explicit Reader(const json::object& from) : object(from) {}
  const json::object& object;
  bool ok = true;

  void operator()(std::string_view name, std::string& value) {
    const json::value* found = object.if_contains(name);
    if (found == nullptr || !found->is_string()) return fail();
    value = std::string(found->get_string());
  }
  void operator()(std::string_view name, bool& value) {
    const json::value* found = object.if_contains(name);
    if (found == nullptr || !found->is_bool()) return fail();
    value = found->get_bool();
  }
  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void operator()(std::string_view name, T& value) {
    const json::value* found = object.if_contains(name);
    if (found == nullptr) return fail();
    boost::system::error_code ec;
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(found->to_number<std::uint8_t>(ec));
    } else {
      value = found->to_number<T>(ec);
    }
    if (ec) fail();
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& value) {
    if (!object.contains(name)) return;
    (*this)(name, value.emplace());
  }
  void operator()(std::string_view name, wire::ProcessInfo& value);
  void operator()(std::string_view name, std::vector<wire::ProcessInfo>& values);
  void text_if_any(std::string_view name, std::string& value) {   // absent: empty, or written by an older version
    if (object.contains(name)) (*this)(name, value);
  }

 private:
  void fail() { ok = false; }
};

template <class Archive, class T>
void process_fields(Archive& a, T& p) {
  a("pid", p.pid);
  a("parent_pid", p.parent_pid);
  a("comm", p.comm);
  a("rss_bytes", p.rss_bytes);
  a("age_ns", p.age_ns);
  a("container_main", p.container_main);
}

void Writer::operator()(std::string_view name, const wire::ProcessInfo& value) {
  Writer inner;
  process_fields(inner, value);
  object[name] = std::move(inner.object);
}

void Writer::operator()(std::string_view name, const std::vector<wire::ProcessInfo>& values) {
  json::array list;
  for (const wire::ProcessInfo& value : values) {
    Writer inner;
    process_fields(inner, value);
    list.push_back(std::move(inner.object));
  }
  object[name] = std::move(list);
}

void Reader::operator()(std::string_view name, wire::ProcessInfo& value) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr || !found->is_object()) return fail();
  Reader inner(found->get_object());
  process_fields(inner, value);
  ok = ok && inner.ok;
}

void Reader::operator()(std::string_view name, std::vector<wire::ProcessInfo>& values) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr || !found->is_array()) return fail();
  for (const json::value& item : found->get_array()) {
    if (!item.is_object()) return fail();
    Reader inner(item.get_object());
    process_fields(inner, values.emplace_back());
    ok = ok && inner.ok;
  }
}

template <class Archive, class T>
void entity_fields(Archive& a, T& e) {
  a("kind", e.kind);
  a("parent_cgroup_id", e.parent_cgroup_id);
  a("cgroup_path", e.cgroup_path);
  a("name", e.name);
  a("runtime", e.runtime);
  a("container_id", e.container_id);
  a("pod_uid", e.pod_uid);
  a("qos_class", e.qos_class);
  a.text_if_any("container_name", e.container_name);
  a.text_if_any("pod_name", e.pod_name);
  a.text_if_any("pod_namespace", e.pod_namespace);
  a.text_if_any("image", e.image);
}

// Overloads, const and not, by the struct's members.
template <class Archive, class T>
void body_fields(Archive& a, T& b) {
  using Struct = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Struct, wire::OomKill>) {
    a("victim", b.victim);
    a("constraint", b.constraint);
    a("constraint_source", b.constraint_source);
    a("oom_score_adj", b.oom_score_adj);
    a("limit_bytes", b.limit_bytes);
    a("usage_bytes", b.usage_bytes);
    a("limit_cgroup_path", b.limit_cgroup_path);
    a("invoker_pid", b.invoker_pid);
    a("invoker_comm", b.invoker_comm);
    a("kills_total", b.kills_total);
    a("top_processes", b.top_processes);
  } else if constexpr (std::is_same_v<Struct, wire::ProcessExit>) {
    a("process", b.process);
    a("exit_code", b.exit_code);
    a("signal", b.signal);
    a("oom_victim", b.oom_victim);
  } else if constexpr (std::is_same_v<Struct, wire::ProcessSignal>) {
    a("target", b.target);
    a("signal", b.signal);
    a("from_kernel", b.from_kernel);
    a("sender", b.sender);
    a("sender_uid", b.sender_uid);
    a("sender_cgroup_id", b.sender_cgroup_id);
  } else if constexpr (std::is_same_v<Struct, wire::LimitChanged>) {
    a("resource", b.resource);
    a("before", b.before);
    a("after", b.after);
  } else if constexpr (std::is_same_v<Struct, wire::Lost>) {
    a("source", b.source);
    a("count", b.count);
  } else if constexpr (std::is_same_v<Struct, wire::Observed>) {
    a("what", b.what);
    a.text_if_any("object", b.object);
    a.text_if_any("reason", b.reason);
    a.text_if_any("before", b.before);
    a.text_if_any("after", b.after);
    a.text_if_any("text", b.text);
    a("count", b.count);
  }
}

Result<json::object> parse_object(std::string_view text) {
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec);
  if (ec || !value.is_object()) return Error(Errc::malformed, "stored event: not a JSON object");
  return std::move(value.get_object());
}

template <class T>
Result<Body> parse_as(const json::object& object) {
  T value;
  Reader reader(object);
  body_fields(reader, value);
  if (!reader.ok) return Error(Errc::malformed, "stored event: a field is missing or of another type");
  return Body(std::move(value));
}

}  // namespace

std::string EventRef::str() const { return to_hex(stream.bytes) + "/" + std::to_string(seq) + "/" + std::to_string(index); }

std::string_view kind_of(const NodeEvent& event) {
  struct Visitor {
    std::string_view operator()(std::monostate) const { return "unknown"; }
    std::string_view operator()(const wire::OomKill&) const { return "oom_kill"; }
    std::string_view operator()(const wire::ProcessExit&) const { return "process_exit"; }
    std::string_view operator()(const wire::ProcessSignal&) const { return "process_signal"; }
    std::string_view operator()(const wire::LimitChanged&) const { return "limit_changed"; }
    std::string_view operator()(const wire::Lost&) const { return "lost"; }
    std::string_view operator()(const wire::Observed& e) const { return e.what; }
  };
  return std::visit(Visitor{}, event.body);
}

std::string entity_json(const Entity& entity) {
  Writer writer;
  entity_fields(writer, entity);
  return json::serialize(writer.object);
}

std::string body_json(const NodeEvent& event) {
  Writer writer;
  std::visit([&](const auto& body) { body_fields(writer, body); }, event.body);
  return json::serialize(writer.object);
}

Result<Entity> parse_entity(std::string_view text) {
  auto object = parse_object(text);
  if (!object) return object.error();
  Entity entity;
  Reader reader(*object);
  entity_fields(reader, entity);
  if (!reader.ok) return Error(Errc::malformed, "stored entity: a field is missing or of another type");
  return entity;
}

Result<Body> parse_body(std::string_view kind, std::string_view text) {
  auto object = parse_object(text);
  if (!object) return object.error();
  if (kind == "oom_kill") return parse_as<wire::OomKill>(*object);
  if (kind == "process_exit") return parse_as<wire::ProcessExit>(*object);
  if (kind == "process_signal") return parse_as<wire::ProcessSignal>(*object);
  if (kind == "limit_changed") return parse_as<wire::LimitChanged>(*object);
  if (kind == "lost") return parse_as<wire::Lost>(*object);
  if (object->contains("what")) return parse_as<wire::Observed>(*object);
  return Body(std::monostate{});
}

}  // namespace fw::fleet
