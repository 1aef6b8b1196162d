// The manifest of a backup: manifest.json, beside the files of its shards, and manifest.sha256 with
// the checksum of manifest.json, in the form that `sha256sum -c` reads.
#pragma once

#include "storage/store.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::storage {

inline constexpr const char* manifest_file = "manifest.json";
inline constexpr const char* manifest_sum_file = "manifest.sha256";

struct NextSequence {
  std::string topic;
  std::uint64_t partition = 0, next_seq = 0;
  bool operator==(const NextSequence&) const = default;
};

// The contents of a shard's file.
struct ShardContents {
  std::uint64_t schema = 0, epoch = 0, jobs = 0, finished = 0;
  std::vector<NextSequence> sequences;  // by topic and partition
  bool operator==(const ShardContents&) const = default;
};

struct ShardCopy {
  std::string file;  // its name, without a folder
  std::uint64_t bytes = 0;
  std::string sha256;
  std::int64_t taken_ms = 0;  // wall clock: not before the moment that the copy shows
  ShardContents contents;
};

struct Manifest {
  std::string name, version;  // of the backup; of the broker that made it
  std::int64_t made_ms = 0, took_ms = 0;
  std::vector<ShardCopy> shards;  // by number

  [[nodiscard]] std::uint64_t bytes() const;
};

// 1 to 64 of A-Z a-z 0-9 . _ -, first a letter or digit.
[[nodiscard]] bool valid_backup_name(const std::string& name);
[[nodiscard]] std::string shard_file(std::size_t shard);

[[nodiscard]] std::string to_json(const Manifest& manifest);
// Writes both files, synced.
[[nodiscard]] Expected<void> write_manifest(const Manifest& manifest, const std::string& folder);
// Reads the manifest and verifies its checksum. damaged: the file was changed.
[[nodiscard]] Expected<Manifest> read_manifest(const std::string& folder);

}  // namespace millrace::storage
