#include "aggregator/changes/cloudevents/cloudevents.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "aggregator/changes/json_reader.hpp"
#include "common/base64.hpp"
#include "common/id.hpp"

namespace fw::changes::cloudevents {
namespace json = boost::json;
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// "application/json; charset=utf-8" -> "application/json"
std::string media_type(std::string_view content_type) {
  std::string type = lower(content_type.substr(0, content_type.find(';')));
  type.erase(std::remove_if(type.begin(), type.end(), [](char c) { return c == ' ' || c == '\t'; }), type.end());
  return type;
}

bool is_json(std::string_view type) { return type == "application/json" || type == "text/json" || type.ends_with("+json"); }

bool is_full_sha(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// ---- context attributes -------------------------------------------------------------------------------------------

struct Attributes {
  std::string id, source, type;
};

Attributes take_attributes(ObjectReader& event) {
  Attributes attributes;
  const std::string version = event.required_text("specversion");
  if (!version.empty() && version != "1.0") event.report("specversion", "must be 1.0");
  attributes.id = event.required_text("id");
  attributes.source = event.required_text("source", kMaxTitleBytes);
  attributes.type = event.required_text("type");
  event.time_ns("time");
  return attributes;
}

// ---- data ---------------------------------------------------------------------------------------------------------

Outcome take_outcome(ObjectReader& data) {
  const std::string word = data.text("outcome");
  for (const auto outcome : {Outcome::unknown, Outcome::in_progress, Outcome::success, Outcome::failure, Outcome::cancelled}) {
    if (word == to_string(outcome)) return outcome;
  }
  if (!word.empty()) data.report("outcome", "must be unknown, in_progress, success, failure or cancelled");
  return Outcome::unknown;
}

std::vector<Field> take_fields(ObjectReader& data, const std::string& path, Problems& problems) {
  std::vector<Field> fields;
  const auto* value = data.find("fields");
  if (value == nullptr) return fields;
  const auto* list = value->if_array();
  if (list == nullptr) {
    data.report("fields", "must be a list");
    return fields;
  }
  if (list->size() > kMaxFields) {
    data.report("fields", "more than " + std::to_string(kMaxFields) + " entries");
    return fields;
  }
  for (std::size_t i = 0; i < list->size() && !problems.any(); ++i) {
    const std::string entry_path = path + ".fields[" + std::to_string(i) + "]";
    if (!(*list)[i].is_object()) problems.report(entry_path, "must be an object");
    ObjectReader entry(&(*list)[i], entry_path, problems);
    Field field;
    field.path = entry.required_text("path");
    field.before = entry.scalar("before");
    field.after = entry.scalar("after");
    entry.reject_unknown();
    fields.push_back(std::move(field));
  }
  return fields;
}

ObjectRef take_object(ObjectReader& data) {
  ObjectReader object = data.object("object");
  ObjectRef ref;
  ref.cluster = object.text("cluster");
  ref.kind = object.text("kind");
  ref.namespace_name = object.text("namespace");
  ref.name = object.text("name");
  ref.uid = object.text("uid");
  ref.cgroup_path = object.text("cgroupPath", kMaxLongBytes);
  ref.container_id = object.text("containerId");
  ref.node = object.text("node");
  object.reject_unknown();
  if (ref.name.empty() && ref.cgroup_path.empty() && ref.container_id.empty()) {
    data.report("object", "needs one of name, cgroupPath and containerId");
  }
  return ref;
}

Change take_data(const json::value* value, const std::string& path, const Attributes& attributes, Problems& problems) {
  if (value == nullptr || value->is_null()) problems.report(path, "missing");
  ObjectReader data(value, path, problems);
  Change change;
  change.source = "cloudevents";
  change.object = take_object(data);
  const std::string actor = data.text("actor");
  if (!actor.empty()) change.actor = actor;
  change.revision = data.text("revision");
  change.title = data.text("title", kMaxTitleBytes);
  change.environment = data.text("environment");
  const std::string url = data.text("url", kMaxLongBytes);
  change.url = data.url("url");
  if (change.url != url) data.report("url", "must begin with https:// or http://");
  change.started_ns = data.required_time_ns("started");
  change.finished_ns = data.time_ns("finished");
  if (change.finished_ns && *change.finished_ns < change.started_ns) data.report("finished", "is before started");
  change.outcome = take_outcome(data);
  change.fields = take_fields(data, path, problems);
  const std::string key = data.text("key");
  change.source_key = attributes.source + " " + (key.empty() ? attributes.id : key);
  change.change_group = lower(data.text("group"));
  if (change.change_group.empty() && is_full_sha(change.revision)) change.change_group = lower(change.revision);
  data.reject_unknown();
  return change;
}

Received ignored(const Attributes& attributes) {
  return {Ignored{"this type is not used"}, attributes.source + " " + attributes.id};
}

// ---- the three modes ----------------------------------------------------------------------------------------------

// One JSON-format event. The tree of data_base64 is parsed and dropped here, so nothing of it is referred to later.
Received take_event(const json::value& value, const std::string& path, std::int64_t received_ns, Problems& problems) {
  if (!value.is_object()) problems.report(path.empty() ? "body" : path, "must be an object");
  ObjectReader event(&value, path, problems);
  const Attributes attributes = take_attributes(event);
  const std::string dot = path.empty() ? "" : path + ".";
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      const std::string_view name = member.key();
      const bool lower_case = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
      if (!lower_case && name != "data_base64") problems.report(path.empty() ? "body" : path, "attribute names have only a-z and 0-9");
      const bool data = name == "data" || name == "data_base64";
      if (!data && (member.value().is_object() || member.value().is_array())) problems.report(path.empty() ? "body" : path, "attributes are text, numbers or truth values");
    }
  }
  if (problems.any() || attributes.type != kChangeType) return ignored(attributes);

  const std::string content_type = event.text("datacontenttype");
  if (!content_type.empty() && !is_json(media_type(content_type))) event.report("datacontenttype", "must be JSON");
  const auto* data = event.find("data");
  const auto* base64 = event.find("data_base64");
  if (data != nullptr && base64 != nullptr) event.report("data_base64", "not together with data");
  Received received{Ignored{}, attributes.source + " " + attributes.id};
  if (base64 == nullptr) {
    auto change = take_data(data, dot + "data", attributes, problems);
    change.received_ns = received_ns;
    received.what = std::move(change);
    return received;
  }
  const auto bytes = base64->is_string() ? decode_base64(base64->get_string()) : std::nullopt;
  if (!bytes) {
    event.report("data_base64", "not base64");
    return received;
  }
  const auto document = JsonDocument::parse({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  if (document.has_error()) {
    problems.report(dot + "data_base64", document.error().context);
    return received;
  }
  auto change = take_data(&document->root(), dot + "data_base64", attributes, problems);
  change.received_ns = received_ns;
  received.what = std::move(change);
  return received;
}

// Header values carry what is not printable ASCII as %XX (HTTP binding, 3.1.3.2).
std::optional<std::string> decode_header(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      out += value[i];
      continue;
    }
    const auto byte = from_hex(value.substr(i + 1, 2));
    if (byte.has_error() || byte->size() != 1) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

Result<std::vector<Received>> parse_binary(const Message& message, std::int64_t received_ns) {
  json::object attributes_json;
  for (const auto& [name, value] : message.attributes) {
    const auto decoded = decode_header(value);
    if (!decoded) return Error(Errc::malformed, "ce-" + name.substr(0, kMaxNameBytes) + ": bad percent encoding");
    attributes_json[name] = *decoded;
  }
  const json::value attributes_value(std::move(attributes_json));
  Problems problems;
  ObjectReader event(&attributes_value, "ce", problems);
  const Attributes attributes = take_attributes(event);
  if (problems.any()) return problems.first();
  if (attributes.type != kChangeType) return std::vector<Received>{ignored(attributes)};
  const auto document = JsonDocument::parse(message.body);
  if (document.has_error()) return document.error();
  auto change = take_data(&document->root(), "data", attributes, problems);
  if (problems.any()) return problems.first();
  change.received_ns = received_ns;
  return std::vector<Received>{Received{std::move(change), attributes.source + " " + attributes.id}};
}

}  // namespace

Result<std::vector<Received>> parse(const Message& message, std::int64_t received_ns) {
  const std::string type = media_type(message.content_type);
  const bool batch = type == "application/cloudevents-batch+json";
  if (!batch && type != "application/cloudevents+json") {
    const bool has_attributes = std::any_of(message.attributes.begin(), message.attributes.end(),
                                            [](const auto& attribute) { return attribute.first == "specversion"; });
    if (!is_json(type)) return Error(Errc::unsupported, "Content-Type: must be JSON, application/cloudevents+json or application/cloudevents-batch+json");
    if (!has_attributes) return Error(Errc::malformed, "ce.specversion: missing or empty");
    return parse_binary(message, received_ns);
  }
  const auto document = JsonDocument::parse(message.body);
  if (document.has_error()) return document.error();
  Problems problems;
  std::vector<Received> all;
  if (!batch) {
    all.push_back(take_event(document->root(), "", received_ns, problems));
  } else {
    const auto* list = document->root().if_array();
    if (list == nullptr) return Error(Errc::malformed, "body: a batch is a list");
    if (list->size() > kMaxBatch) return Error(Errc::too_large, "body: more than " + std::to_string(kMaxBatch) + " events in one batch");
    for (std::size_t i = 0; i < list->size() && !problems.any(); ++i) {
      all.push_back(take_event((*list)[i], "[" + std::to_string(i) + "]", received_ns, problems));
    }
  }
  if (problems.any()) return problems.first();
  return all;
}

}  // namespace fw::changes::cloudevents
