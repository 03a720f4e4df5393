// docs/schemas/change.v1.json and the decoder say the same: every property, limit and word of the schema is tried on the decoder.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "aggregator/changes/cloudevents/cloudevents.hpp"

namespace fw::changes::cloudevents {
namespace {

namespace json = boost::json;

json::object read_schema() {
  std::ifstream in(FW_SOURCE_DIR "/docs/schemas/change.v1.json");
  std::stringstream text;
  text << in.rdbuf();
  return json::parse(text.str()).as_object();
}

std::string error_of(const json::object& data) {
  const json::object event{{"specversion", "1.0"}, {"id", "1"}, {"source", "s"}, {"type", kChangeType}, {"data", data}};
  const std::string body = json::serialize(event);
  const auto received = parse({"application/cloudevents+json", {}, body}, 42);
  return received.has_error() ? received.error().message() : "";
}

json::object least() { return {{"object", {{"name", "x"}}}, {"started", "2026-11-24T02:47:03Z"}}; }

// A value that the schema allows, of the largest size.
json::value sample(const json::object& property) {
  if (const auto* words = property.if_contains("enum")) return words->as_array().at(0);
  if (const auto* format = property.if_contains("format"); format != nullptr && format->as_string() == "date-time") return "2026-11-24T02:47:03Z";
  const auto length = static_cast<std::size_t>(property.at("maxLength").as_int64());
  std::string text = property.contains("pattern") ? "https://" : "";
  text.resize(length, 'x');
  return json::string(text);
}

// Names that the decoder lists when it meets one that it does not know.
std::set<std::string> known(const std::string& error) {
  std::set<std::string> names;
  std::stringstream list(error.substr(error.find("known are ") + 10));
  for (std::string name; std::getline(list, name, ',');) names.insert(name.substr(name.find_first_not_of(' ')));
  return names;
}

std::set<std::string> properties(const json::value& schema) {
  std::set<std::string> names;
  for (const auto& property : schema.at("properties").as_object()) names.insert(property.key());
  return names;
}

TEST(ChangeSchema, has_exactly_the_fields_of_the_decoder) {
  const json::value schema = read_schema();
  json::object data = least();
  data["zzz"] = 1;
  EXPECT_EQ(known(error_of(data)), properties(schema));
  data = least();
  data["object"].as_object()["zzz"] = 1;
  EXPECT_EQ(known(error_of(data)), properties(schema.at_pointer("/properties/object")));
  data = least();
  data["fields"] = json::array{json::object{{"path", "x"}, {"zzz", 1}}};
  EXPECT_EQ(known(error_of(data)), properties(schema.at_pointer("/properties/fields/items")));
}

TEST(ChangeSchema, every_limit_holds_to_the_byte) {
  const json::value schema = read_schema();
  const auto check = [](const json::value& part, const std::function<void(json::object&, std::string_view, json::value)>& place) {
    for (const auto& [name, property] : part.at("properties").as_object()) {
      if (!property.as_object().contains("maxLength")) continue;
      json::value value = sample(property.as_object());
      json::object data = least();
      place(data, name, value);
      EXPECT_EQ(error_of(data), "") << name;
      if (property.as_object().contains("format")) continue;
      value.as_string().push_back('x');
      data = least();
      place(data, name, value);
      EXPECT_NE(error_of(data).find("longer than"), std::string::npos) << name;
    }
  };
  check(schema, [](json::object& data, std::string_view name, json::value value) { data[name] = std::move(value); });
  check(schema.at_pointer("/properties/object"),
        [](json::object& data, std::string_view name, json::value value) { data["object"].as_object()[name] = std::move(value); });
  check(schema.at_pointer("/properties/fields/items"), [](json::object& data, std::string_view name, json::value value) {
    json::object field{{"path", "x"}};
    field[name] = std::move(value);
    data["fields"] = json::array{field};
  });
}

TEST(ChangeSchema, every_outcome_is_known) {
  const json::value schema = read_schema();
  for (const auto& word : schema.at_pointer("/properties/outcome/enum").as_array()) {
    json::object data = least();
    data["outcome"] = word;
    EXPECT_EQ(error_of(data), "") << word;
  }
}

TEST(ChangeSchema, required_fields_are_required) {
  const json::value schema = read_schema();
  for (const auto& name : schema.at("required").as_array()) {
    json::object data = least();
    data.erase(name.as_string());
    EXPECT_NE(error_of(data), "") << name;
  }
  const auto max_items = static_cast<std::size_t>(schema.at_pointer("/properties/fields/maxItems").as_int64());
  json::object data = least();
  data["fields"] = json::array(max_items, json::object{{"path", "x"}});
  EXPECT_EQ(error_of(data), "");
  data["fields"].as_array().push_back(json::object{{"path", "x"}});
  EXPECT_NE(error_of(data), "");
}

}  // namespace
}  // namespace fw::changes::cloudevents
