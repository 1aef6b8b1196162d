#include "storage/backup/manifest.h"

#include "storage/backup/disk.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace millrace::storage {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t format = 1;
constexpr std::uint64_t manifest_bytes_max = 64U << 20;

Failure damaged_manifest(const std::string& folder, const std::string& what) {
  return {FailureKind::damaged, folder + "/" + manifest_file + " is damaged: " + what};
}

Json json_of(const ShardCopy& shard) {
  Json next = Json::array();
  for (const auto& sequence : shard.contents.sequences) {
    next.push_back({{"topic", sequence.topic},
                    {"partition", sequence.partition},
                    {"next_seq", sequence.next_seq}});
  }
  return {{"file", shard.file},
          {"bytes", shard.bytes},
          {"sha256", shard.sha256},
          {"taken_ms", shard.taken_ms},
          {"schema", shard.contents.schema},
          {"epoch", shard.contents.epoch},
          {"jobs", shard.contents.jobs},
          {"finished", shard.contents.finished},
          {"next_sequences", std::move(next)}};
}

ShardCopy shard_of(const Json& json) {
  ShardCopy shard;
  json.at("file").get_to(shard.file);
  json.at("bytes").get_to(shard.bytes);
  json.at("sha256").get_to(shard.sha256);
  json.at("taken_ms").get_to(shard.taken_ms);
  json.at("schema").get_to(shard.contents.schema);
  json.at("epoch").get_to(shard.contents.epoch);
  json.at("jobs").get_to(shard.contents.jobs);
  json.at("finished").get_to(shard.contents.finished);
  for (const auto& next : json.at("next_sequences")) {
    shard.contents.sequences.push_back(
        {next.at("topic"), next.at("partition"), next.at("next_seq")});
  }
  return shard;
}

Expected<Manifest> parse(const std::string& folder, const std::string& text) {
  Manifest manifest;
  std::uint64_t written = 0, shards = 0;
  // The library reports errors by exceptions: they are caught here.
  try {
    const Json json = Json::parse(text);
    json.at("format").get_to(written);
    if (written != format) {
      return tl::unexpected(
          Failure{FailureKind::too_new, folder + " has format " + std::to_string(written) +
                                            ", this version knows 1: use the newer millraced"});
    }
    json.at("name").get_to(manifest.name);
    json.at("version").get_to(manifest.version);
    json.at("made_ms").get_to(manifest.made_ms);
    json.at("took_ms").get_to(manifest.took_ms);
    json.at("shards").get_to(shards);
    for (const auto& file : json.at("files")) manifest.shards.push_back(shard_of(file));
  } catch (const nlohmann::json::exception& e) {
    return tl::unexpected(damaged_manifest(folder, e.what()));
  }
  bool named = !manifest.shards.empty() && manifest.shards.size() == shards;
  for (std::size_t at = 0; at < manifest.shards.size(); ++at) {
    named = named && manifest.shards[at].file == shard_file(at);
  }
  if (!named)
    return tl::unexpected(damaged_manifest(folder, "it does not list a file for each shard"));
  return manifest;
}

}  // namespace

std::uint64_t Manifest::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards) sum += shard.bytes;
  return sum;
}

bool valid_backup_name(const std::string& name) {
  const auto alnum = [](char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
  };
  if (name.empty() || name.size() > 64 || !alnum(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char ch) { return alnum(ch) || ch == '.' || ch == '_' || ch == '-'; });
}

std::string shard_file(std::size_t shard) { return "shard-" + std::to_string(shard) + ".db"; }

std::string to_json(const Manifest& manifest) {
  Json files = Json::array();
  for (const auto& shard : manifest.shards) files.push_back(json_of(shard));
  const Json json{{"format", format},
                  {"name", manifest.name},
                  {"version", manifest.version},
                  {"made_ms", manifest.made_ms},
                  {"took_ms", manifest.took_ms},
                  {"shards", manifest.shards.size()},
                  {"files", std::move(files)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Expected<void> write_manifest(const Manifest& manifest, const std::string& folder) {
  const std::string text = to_json(manifest);
  if (auto done = write_synced(folder + "/" + manifest_file, text); !done) return done;
  return write_synced(folder + "/" + manifest_sum_file,
                      sha256_of_text(text) + "  " + manifest_file + "\n");
}

Expected<Manifest> read_manifest(const std::string& folder) {
  const auto text = read_text(folder + "/" + manifest_file, manifest_bytes_max);
  if (!text) return tl::unexpected(text.error());
  const auto sum = read_text(folder + "/" + manifest_sum_file, manifest_bytes_max);
  if (!sum) return tl::unexpected(sum.error());
  if (*sum != sha256_of_text(*text) + "  " + manifest_file + "\n") {
    return tl::unexpected(damaged_manifest(folder, "its checksum differs from manifest.sha256"));
  }
  return parse(folder, *text);
}

}  // namespace millrace::storage
