// The encoding half of the codec: writes a message's fields, by the lists of fields.h, into one
// frame. Private to the wire.
#pragma once

#include "wire/codec.h"
#include "wire/fields.h"

#include <cstring>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace millrace::wire {

// A frame while it is written: room is taken a few times, and not asked of the string for each
// value.
class Sink {
 public:
  Sink(std::string& frame, std::size_t bytes_about) : frame_(frame) { frame_.resize(bytes_about); }
  ~Sink() { frame_.resize(used_); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  [[nodiscard]] char* room(std::size_t bytes) {
    if (bytes > frame_.size() - used_) frame_.resize(2 * frame_.size() + bytes);
    char* at = frame_.data() + used_;
    used_ += bytes;
    return at;
  }
  void write(const char* data, std::size_t bytes) {
    if (bytes > 0) std::memcpy(room(bytes), data, bytes);  // nothing may be a null pointer
  }

 private:
  std::string& frame_;
  std::size_t used_ = 0;
};
using Packer = msgpack::packer<Sink>;
inline constexpr std::size_t small_bytes = 64;

// What a frame will take, so that a large one is not copied while it grows.
template <typename M>
std::size_t bytes_about(const M& message) {
  std::size_t bytes = small_bytes;
  if constexpr (requires { message.jobs.front().payload.size(); }) {
    constexpr std::size_t names_and_numbers = 112;
    for (const auto& job : message.jobs) {
      bytes += job.payload.size() + job.key.size() + names_and_numbers;
    }
  } else if constexpr (requires { message.outcomes; }) {
    constexpr std::size_t token_and_outcome = 24;
    bytes += message.outcomes.size() * token_and_outcome;
  }
  return bytes;
}

template <typename T>
constexpr bool is_vector = false;
template <typename T>
constexpr bool is_vector<std::vector<T>> = true;
template <typename T>
constexpr bool is_optional = false;
template <typename T>
constexpr bool is_optional<std::optional<T>> = true;

inline constexpr std::string_view roles[] = {"producer", "worker", "client"};

// Bytes are written as bin where the protocol says bin; every other text as str.
constexpr bool written_as_bin(std::string_view key) {
  return key == "payload" || key == "headers" || key == "result";
}

template <typename T>
bool absent(const T& value) {
  if constexpr (is_optional<T>)
    return !value.has_value();
  else if constexpr (is_vector<T> || std::is_same_v<T, std::string_view>)
    return value.empty();
  else if constexpr (std::is_same_v<T, bool>)
    return !value;
  else if constexpr (std::is_integral_v<T>)
    return value == 0;
  else
    return false;
}

class Writer {
 public:
  Writer(std::string& out, std::size_t bytes_about) : sink_(out, bytes_about), packer_(sink_) {}

  template <typename M>
  void body(const M& message) {
    auto& m = const_cast<M&>(message);  // the lists of fields serve reading too
    std::uint32_t count = 0;
    auto counting = [&count](std::string_view, auto& member, const Rule& rule) {
      if (rule.required || rule.written || !absent(member)) ++count;
    };
    fields(counting, m);
    packer_.pack_map(count);
    auto writing = [this](std::string_view key, auto& member, const Rule& rule) {
      if (!rule.required && !rule.written && absent(member)) return;
      name(key);
      value(key, member, rule);
    };
    fields(writing, m);
  }

 private:
  // Every key is short enough for a length of one byte.
  void name(std::string_view key) {
    constexpr unsigned fixstr = 0xa0;
    char* at = sink_.room(1 + key.size());
    *at = static_cast<char>(fixstr | key.size());
    std::memcpy(at + 1, key.data(), key.size());
  }
  void text(std::string_view s) {
    packer_.pack_str(static_cast<std::uint32_t>(s.size()));
    packer_.pack_str_body(s.data(), static_cast<std::uint32_t>(s.size()));
  }
  void bin(std::string_view s) {
    packer_.pack_bin(static_cast<std::uint32_t>(s.size()));
    packer_.pack_bin_body(s.data(), static_cast<std::uint32_t>(s.size()));
  }
  void value(std::string_view key, std::string_view s, const Rule& rule) {
    if (written_as_bin(key)) return bin(s);
    if (rule.cut_front && s.size() > rule.max) s.remove_prefix(s.size() - rule.max);
    text(s);
  }
  void value(std::string_view, std::uint64_t n, const Rule&) { packer_.pack_uint64(n); }
  void value(std::string_view, bool b, const Rule&) {
    b ? packer_.pack_true() : packer_.pack_false();
  }
  void value(std::string_view, double d, const Rule&) { packer_.pack_double(d); }
  void value(std::string_view, Role r, const Rule&) { text(roles[static_cast<std::size_t>(r)]); }
  void value(std::string_view, OutcomeKind k, const Rule&) {
    packer_.pack_uint64(static_cast<std::uint64_t>(k));
  }
  void value(std::string_view, const Id& id, const Rule&) {
    bin({reinterpret_cast<const char*>(id.data()), id.size()});
  }
  void value(std::string_view, const JobRef& j, const Rule&) {
    text(job_text(j.topic, j.partition, j.seq));
  }
  template <typename A, typename B>
  void value(std::string_view key, const std::pair<A, B>& p, const Rule& rule) {
    packer_.pack_array(2);
    value(key, p.first, rule);
    value(key, p.second, rule);
  }
  template <typename T>
  void value(std::string_view key, const std::optional<T>& o, const Rule& rule) {
    value(key, *o, rule);
  }
  void value(std::string_view key,
             const std::vector<std::pair<std::string_view, std::vector<std::uint64_t>>>& map,
             const Rule& rule) {
    packer_.pack_map(static_cast<std::uint32_t>(map.size()));
    for (const auto& [name, numbers] : map) {
      text(name);
      value(key, numbers, rule);
    }
  }
  template <typename T>
  void value(std::string_view key, const std::vector<T>& items, const Rule& rule) {
    packer_.pack_array(static_cast<std::uint32_t>(items.size()));
    for (const T& item : items) {
      if constexpr (std::is_class_v<T> && !is_vector<T> && !is_plain<T>)
        body(item);
      else
        value(key, item, rule);
    }
  }
  template <typename T>
  static constexpr bool is_plain =
      std::is_same_v<T, std::string_view> || std::is_same_v<T, JobRef> ||
      std::is_same_v<T, std::pair<JobRef, std::uint64_t>>;

  Sink sink_;
  Packer packer_;
};

}  // namespace millrace::wire
