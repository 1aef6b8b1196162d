#include "history.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace millrace::testing {
namespace {

using Json = nlohmann::json;

struct KindFields {
  EventKind kind;
  const char* name;
  std::vector<const char*> needed;
  const char* word = nullptr;  // the field that HistoryEvent::word holds
};

const std::array<KindFields, 23>& kinds() {
  static const std::array<KindFields, 23> all{{
      // key, run_at_ms, attempts_max, priority may be left out
      {EventKind::enqueue, "enqueue", {"tag", "by", "topic"}, nullptr},
      {EventKind::enqueued, "enqueued", {"tag", "job"}, nullptr},
      {EventKind::refused, "refused", {"tag", "code"}, "code"},
      {EventKind::unknown, "unknown", {"tag"}, nullptr},
      // wall_ms may be left out
      {EventKind::deliver, "deliver", {"job", "tag", "token", "attempt", "by"}, nullptr},
      {EventKind::issued, "issued", {"job", "tag", "token", "attempt"}, nullptr},
      {EventKind::bounced, "bounced", {"job", "token"}, nullptr},
      {EventKind::settle, "settle", {"job", "token", "outcome", "by"}, "outcome"},
      // by may be left out
      {EventKind::settled, "settled", {"job", "token", "outcome"}, "outcome"},
      {EventKind::stale, "stale", {"job", "token"}, nullptr},
      {EventKind::cancel, "cancel", {"job"}, nullptr},
      {EventKind::cancelled, "cancelled", {"job"}, nullptr},
      {EventKind::asked, "asked", {"job", "by"}, nullptr},
      {EventKind::told, "told", {"job", "state", "by"}, "state"},
      // name may be left out
      {EventKind::crash, "crash", {"of"}, "of"},
      {EventKind::start, "start", {"of"}, "of"},
      {EventKind::clock, "clock", {"wall_ms"}, nullptr},
      {EventKind::backup, "backup", {}, nullptr},
      {EventKind::backed_up, "backed_up", {}, nullptr},
      {EventKind::faults_over, "faults_over", {}, nullptr},
      // deaths, reason, key may be left out
      {EventKind::final, "final", {"job", "tag", "state", "attempts"}, "state"},
      // every number in it is a counter
      {EventKind::counts, "counts", {"topic"}, nullptr},
      {EventKind::end, "end", {"integrity"}, "integrity"},
  }};
  return all;
}

void take_text(const Json& from, const char* name, std::string& to) {
  const auto found = from.find(name);
  if (found != from.end()) to = found->get<std::string>();
}

template <typename Number>
void take_number(const Json& from, const char* name, std::optional<Number>& to) {
  const auto found = from.find(name);
  if (found != from.end()) to = found->get<Number>();
}

void take_fields(const Json& from, const KindFields& fields, HistoryEvent& event) {
  event.kind = fields.kind;
  event.t = from.at("t").get<std::int64_t>();
  take_text(from, "tag", event.tag);
  take_text(from, "job", event.job);
  take_text(from, "by", event.by);
  take_text(from, "topic", event.topic);
  take_text(from, "key", event.key);
  take_text(from, "reason", event.reason);
  take_text(from, "name", event.name);
  if (fields.word != nullptr) take_text(from, fields.word, event.word);
  const auto token = from.find("token");
  if (token != from.end()) {
    event.token = token_of(token->at(0).get<std::uint64_t>(), token->at(1).get<std::uint64_t>());
  }
  event.attempt = from.value(event.kind == EventKind::final ? "attempts" : "attempt", 0U);
  event.deaths = from.value("deaths", 0U);
  take_number(from, "run_at_ms", event.run_at_ms);
  take_number(from, "wall_ms", event.wall_ms);
  take_number(from, "attempts_max", event.attempts_max);
  take_number(from, "priority", event.priority);
  if (event.kind != EventKind::counts) return;
  for (const auto& [name, value] : from.items()) {
    if (value.is_number_unsigned() && name != "t") event.counts[name] = value.get<std::uint64_t>();
  }
}

}  // namespace

std::string read_event(std::string_view line, History& to) {
  try {
    const Json json = Json::parse(line);
    const std::string name = json.at("e").get<std::string>();
    const auto fields = std::find_if(kinds().begin(), kinds().end(),
                                     [&name](const auto& known) { return name == known.name; });
    if (fields == kinds().end()) return "no event is named " + name;
    for (const char* needed : fields->needed) {
      if (!json.contains(needed)) return name + " without " + needed;
    }
    HistoryEvent event;
    take_fields(json, *fields, event);
    to.push_back(std::move(event));
    return {};
  } catch (const Json::exception& wrong) {
    return wrong.what();
  }
}

std::string write_event(const HistoryEvent& event) {
  const auto& fields = kinds()[static_cast<std::size_t>(event.kind)];
  nlohmann::ordered_json out{{"e", fields.name}, {"t", event.t}};
  const auto text = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  text("tag", event.tag);
  text("job", event.job);
  if (event.token != 0) {
    out["token"] = {event.token >> 40U, event.token & ((1ULL << 40U) - 1)};
  }
  if (fields.word != nullptr) out[fields.word] = event.word;
  if (event.kind == EventKind::final) {
    out["attempts"] = event.attempt;
    out["deaths"] = event.deaths;
  } else if (event.attempt != 0) {
    out["attempt"] = event.attempt;
  }
  text("by", event.by);
  text("topic", event.topic);
  text("key", event.key);
  text("reason", event.reason);
  text("name", event.name);
  if (event.run_at_ms) out["run_at_ms"] = *event.run_at_ms;
  if (event.wall_ms) out["wall_ms"] = *event.wall_ms;
  if (event.attempts_max) out["attempts_max"] = *event.attempts_max;
  if (event.priority) out["priority"] = *event.priority;
  for (const auto& [name, value] : event.counts) out[name] = value;
  return out.dump();
}

std::string_view to_string(EventKind kind) { return kinds()[static_cast<std::size_t>(kind)].name; }

std::string token_text(Token token) {
  return "[" + std::to_string(token >> 40U) + "," + std::to_string(token & ((1ULL << 40U) - 1)) +
         "]";
}

}  // namespace millrace::testing
