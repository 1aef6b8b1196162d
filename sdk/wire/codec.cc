#include "wire/codec.h"

#include "wire/fields.h"
#include "wire/reader.h"
#include "wire/writer.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>

namespace millrace::wire {
namespace {

class Decoder {
 public:
  explicit Decoder(std::string_view frame) : reader_(frame) {}

  template <typename M>
  bool body(M& message) {
    std::size_t pairs = 0;
    if (!reader_.map(pairs)) return false;
    std::uint32_t seen = 0;
    for (; pairs > 0; --pairs) {
      std::string_view key;
      if (!reader_.bytes(key)) return false;
      if (!member(message, key, seen)) return false;
    }
    reader_.close();
    std::uint32_t bit = 1;
    auto complete = [&](const auto& name, auto&, const Rule& rule) {
      if (rule.required && (seen & bit) == 0) fail(name, "is missing");
      bit <<= 1U;
    };
    fields(complete, message);
    return !reader_.error();
  }

  template <typename M>
  Result<M> whole() {
    M message{};
    if (body(message) && !reader_.at_end()) fail("message", "has bytes after its end");
    if (reader_.error()) return tl::unexpected(*reader_.error());
    return message;
  }

  Reader& reader() { return reader_; }

 private:
  bool fail(std::string_view name, std::string_view what, ErrorCode code = ErrorCode::invalid) {
    return reader_.fail(code, std::string(name) + " " + std::string(what));
  }
  bool too_large(std::string_view name, const Rule& rule) {
    return fail(name, "is larger than its maximum of " + std::to_string(rule.max),
                ErrorCode::too_large);
  }

  // The length of a name is known where it is compiled, so no call is made to compare.
  template <std::size_t n>
  static bool same(std::string_view key, const char (&name)[n]) {
    return key.size() == n - 1 && std::memcmp(key.data(), name, n - 1) == 0;
  }

  template <typename M>
  bool member(M& message, std::string_view key, std::uint32_t& seen) {
    std::uint32_t bit = 1;
    bool known = false;
    auto match = [&](const auto& name, auto& target, const Rule& rule) {
      if (!known && same(key, name)) {
        known = true;
        if (!reader_.take_nil()) {
          seen |= bit;
          (void)value(name, target, rule);
        }
      }
      bit <<= 1U;
    };
    fields(match, message);
    if (!known) return reader_.skip();
    return !reader_.error();
  }

  bool value(std::string_view name, std::string_view& s, const Rule& rule) {
    if (!reader_.bytes(s)) return false;
    if (s.size() > rule.max) return too_large(name, rule);
    if (rule.topic && !s.empty() && !valid_topic(s)) {
      return fail(name,
                  "is not a topic name: a topic name must consist of 1 to 64 characters of A-Z a-z "
                  "0-9 . _ - "
                  "and begin with a letter or digit");
    }
    if (rule.topic && rule.required && s.empty()) return fail(name, "is empty");
    return true;
  }
  bool value(std::string_view name, std::uint64_t& n, const Rule& rule) {
    if (!reader_.number(n)) return false;
    return n <= rule.max || too_large(name, rule);
  }
  bool value(std::string_view, bool& b, const Rule&) { return reader_.boolean(b); }
  bool value(std::string_view, double& d, const Rule&) { return reader_.real(d); }
  bool value(std::string_view name, Role& role, const Rule&) {
    std::string_view text;
    if (!reader_.bytes(text)) return false;
    const auto* found = std::find(std::begin(roles), std::end(roles), text);
    if (found == std::end(roles)) return fail(name, "must be producer, worker or client");
    role = static_cast<Role>(found - std::begin(roles));
    return true;
  }
  bool value(std::string_view name, OutcomeKind& kind, const Rule&) {
    std::uint64_t n = 0;
    if (!reader_.number(n)) return false;
    if (n > static_cast<std::uint64_t>(OutcomeKind::crashed)) {
      return fail(name,
                  "must be 0 (completed), 1 (retry), 2 (discard), 3 (release) or 4 (crashed)");
    }
    kind = static_cast<OutcomeKind>(n);
    return true;
  }
  bool value(std::string_view name, Id& id, const Rule&) {
    std::string_view bytes;
    if (!reader_.bytes(bytes)) return false;
    if (bytes.size() != id.size()) return fail(name, "must have 16 bytes");
    std::copy(bytes.begin(), bytes.end(), id.begin());
    return true;
  }
  bool value(std::string_view, JobRef& job, const Rule&) {
    std::string_view text;
    if (!reader_.bytes(text)) return false;
    auto parsed = parse_job(text);
    if (!parsed) return reader_.fail(parsed.error().code, parsed.error().message);
    job = *parsed;
    return true;
  }
  bool value(std::string_view name, std::pair<JobRef, std::uint64_t>& pair, const Rule& rule) {
    std::size_t items = 0;
    if (!reader_.array(items)) return false;
    if (items != 2) return fail(name, "must be a list of pairs of a job and its token");
    if (!value(name, pair.first, rule) || !value(name, pair.second, Rule{})) return false;
    reader_.close();
    return true;
  }
  template <typename T>
  bool value(std::string_view name, std::optional<T>& o, const Rule& rule) {
    return value(name, o.emplace(), rule);
  }
  bool value(std::string_view name,
             std::vector<std::pair<std::string_view, std::vector<std::uint64_t>>>& map,
             const Rule& rule) {
    std::size_t pairs = 0;
    if (!reader_.map(pairs)) return false;
    if (pairs > rule.max) return too_large(name, rule);
    for (; pairs > 0; --pairs) {
      auto& [key, numbers] = map.emplace_back();
      if (!reader_.bytes(key) || !value(name, numbers, Rule{})) return false;
    }
    reader_.close();
    return true;
  }
  template <typename T>
  bool value(std::string_view name, std::vector<T>& items, const Rule& rule) {
    std::size_t count = 0;
    if (!reader_.array(count)) return false;
    if (count > rule.max) return too_large(name, rule);
    items.clear();
    items.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (!item(name, items.emplace_back(), rule)) {
        const Error at = *reader_.error();
        error_at_ = std::string(name) + "[" + std::to_string(i) + "]: " + at.message;
        return false;
      }
    }
    reader_.close();
    return true;
  }
  template <typename T>
  bool item(std::string_view name, T& target, const Rule& rule) {
    constexpr bool plain = std::is_same_v<T, std::string_view> || std::is_same_v<T, JobRef> ||
                           std::is_same_v<T, std::pair<JobRef, std::uint64_t>> || is_vector<T>;
    if constexpr (std::is_same_v<T, std::string_view>) {
      return value(name, target, Rule{.required = rule.topic, .topic = rule.topic, .max = 4'096});
    } else if constexpr (std::is_class_v<T> && !plain) {
      return body(target);
    } else {
      return value(name, target, Rule{});
    }
  }

 public:
  std::string error_at_;  // the error with the place in its list, when it was in one

 private:
  Reader reader_;
};

template <typename T>
constexpr bool is_optional = false;
template <typename T>
constexpr bool is_optional<std::optional<T>> = true;

// Visits the fields of a body; see each_topic().
class TopicVisitor {
 public:
  explicit TopicVisitor(const std::function<bool(std::string_view)>& told) : told_(told) {}
  [[nodiscard]] bool well() const { return well_; }

  template <typename Name, typename T>
  void operator()(const Name& /*name*/, const T& value, const Rule& rule) {
    if constexpr (std::is_same_v<T, std::string_view>) {
      if (rule.topic && !value.empty()) tell(value);
    } else if constexpr (std::is_same_v<T, JobRef>) {
      tell(value.topic);
    } else if constexpr (is_optional<T>) {
      if (value) (*this)("", *value, rule);
    } else if constexpr (std::is_same_v<T, std::vector<std::string_view>> ||
                         std::is_same_v<T, std::vector<JobRef>>) {
      for (const auto& item : value) (*this)("", item, rule);
    }
  }

 private:
  void tell(std::string_view topic) { well_ = well_ && told_(topic); }

  const std::function<bool(std::string_view)>& told_;
  bool well_ = true;
};

}  // namespace

std::string encode_header(Verb verb, std::uint64_t correlation) {
  std::string frame;
  {
    Sink sink(frame, header_bytes_max);
    Packer packer(sink);
    packer.pack_array(3);
    packer.pack_uint64(protocol_version);
    packer.pack_uint64(static_cast<std::uint64_t>(verb));
    packer.pack_uint64(correlation);
  }
  return frame;
}

Result<Header> decode_header(std::string_view frame) {
  Reader reader(frame);
  Header header;
  std::size_t items = 0;
  if (frame.size() > header_bytes_max) {
    reader.fail(ErrorCode::too_large, "the header is larger than 64 bytes");
  } else if (reader.array(items)) {
    if (items < 3) {
      reader.fail(ErrorCode::invalid, "the header must be [version, verb, correlation]");
    } else if (reader.number(header.version) && reader.number(header.verb) &&
               reader.number(header.correlation)) {
      for (std::size_t i = 3; i < items; ++i) {
        if (!reader.skip()) break;
      }
      if (!reader.error() && !reader.at_end()) {
        reader.fail(ErrorCode::invalid, "the header has bytes after its end");
      }
    }
  }
  if (reader.error()) return tl::unexpected(*reader.error());
  return header;
}

template <typename Message>
std::string encode(const Message& message) {
  std::string frame;
  Writer(frame, bytes_about(message)).body(message);
  return frame;
}

template <typename Message>
Result<Message> decode(std::string_view frame) {
  if (frame.size() > frame_bytes_max) {
    return tl::unexpected(Error{ErrorCode::too_large, "the frame is larger than 8 MiB", {}});
  }
  Decoder decoder(frame);
  auto message = decoder.whole<Message>();
  if (!message && !decoder.error_at_.empty()) message.error().message = decoder.error_at_;
  return message;
}

template <typename Message>
bool each_topic(const Message& message, const std::function<bool(std::string_view)>& told) {
  TopicVisitor visitor(told);
  fields(visitor, const_cast<Message&>(message));  // the lists serve the decoder too; not changed
  return visitor.well();
}

std::string encode_flag(std::string_view name, bool value) {
  std::string frame;
  {
    Sink sink(frame, small_bytes);
    Packer packer(sink);
    packer.pack_map(1);
    packer.pack_str(static_cast<std::uint32_t>(name.size()));
    packer.pack_str_body(name.data(), static_cast<std::uint32_t>(name.size()));
    value ? packer.pack_true() : packer.pack_false();
  }
  return frame;
}

template <>
std::string encode<Flag>(const Flag& message) {
  return encode_flag("changed", message.value);
}

template <>
Result<Flag> decode<Flag>(std::string_view frame) {
  Reader reader(frame);
  Flag flag;
  std::size_t pairs = 0;
  bool seen = false;
  if (reader.map(pairs)) {
    for (; pairs > 0; --pairs) {
      std::string_view key;
      if (!reader.bytes(key)) break;
      const bool ours = key == "created" || key == "changed";
      seen |= ours;
      if (!(ours ? reader.boolean(flag.value) : reader.skip())) break;
    }
    if (!reader.error() && !seen) reader.fail(ErrorCode::invalid, "created or changed is missing");
  }
  if (reader.error()) return tl::unexpected(*reader.error());
  return flag;
}

Result<void> check_frame(std::string_view frame) {
  Reader reader(frame);
  if (frame.size() > frame_bytes_max) {
    reader.fail(ErrorCode::too_large, "the frame is larger than 8 MiB");
  } else if (reader.skip() && !reader.at_end()) {
    reader.fail(ErrorCode::invalid, "the frame has bytes after its end");
  }
  if (reader.error()) return tl::unexpected(*reader.error());
  return {};
}

#define MILLRACE_WIRE_BODY(Message)                  \
  template std::string encode(const Message&);       \
  template Result<Message> decode(std::string_view); \
  template bool each_topic(const Message&, const std::function<bool(std::string_view)>&);
MILLRACE_BODIES(MILLRACE_WIRE_BODY)
#undef MILLRACE_WIRE_BODY

}  // namespace millrace::wire
