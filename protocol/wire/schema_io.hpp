// Plain structs <-> Cap'n Proto builders and readers. Private to protocol/wire: the only header of ours that sees capnp.
//
// write() expects what check() accepted. read() does only what the types need (an enum value or union member that this version does not
// know is Errc::malformed or Errc::unsupported); the codec calls check() afterwards. Both may throw kj::Exception: the codec catches.
#pragma once
#include <capnp/message.h>

#include "protocol/wire/messages.hpp"
#include "protocol/wire/sample_codec.hpp"
#include "schema/control.capnp.h"
#include "schema/entity.capnp.h"
#include "schema/events.capnp.h"
#include "schema/samples.capnp.h"

namespace fw::wire {

void write(const Message& control, schema::Control::Builder to);
Result<Message> read(schema::Control::Reader from);

void write(const Events& events, schema::Events::Builder to);
Result<Events> read(schema::Events::Reader from);

void write(const DeltaSamples& samples, schema::Samples::Builder to);
Result<DeltaSamples> read(schema::Samples::Reader from);

// Lists of the dictionary, shared by events and samples.
void write_entities(const std::vector<EntityEntry>& entities, capnp::List<schema::EntityEntry>::Builder to);
Result<std::vector<EntityEntry>> read_entities(capnp::List<schema::EntityEntry>::Reader from);

inline std::string to_string(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
inline capnp::Text::Reader to_text(const std::string& text) { return {text.c_str(), text.size()}; }

// Cap'n Proto's iterators are not those of the standard library.
template <class Number, class List>
std::vector<Number> to_vector(List list) {
  std::vector<Number> out;
  out.reserve(list.size());
  for (const auto value : list) out.push_back(value);
  return out;
}

// Enums of ours and of the schema have the same numbers; `last` is the last one known.
template <class Ours, class Theirs>
Result<Ours> read_enum(const char* field, Theirs value, Ours last) {
  const auto number = static_cast<unsigned>(value);
  if (number > static_cast<unsigned>(last)) return Error(Errc::malformed, std::string(field) + ": value " + std::to_string(number));
  return static_cast<Ours>(number);
}

}  // namespace fw::wire
