#include "stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

namespace edgekit {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "edgekit-";  // of our files, in a folder that may have others
constexpr size_t kMost = 8;             // of our files that are kept

// FNV-1a of 64 bits. It is there against damage: nobody else writes into an app's folder, and keys are compared as they are.
uint64_t hashed(const void *data, size_t size, uint64_t hash = 0xcbf29ce484222325) {
  for (const auto *byte = static_cast<const uint8_t *>(data); size--; ++byte) hash = (hash ^ *byte) * 0x100000001b3;
  return hash;
}

struct Close {
  void operator()(FILE *file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, Close>;

// What a file begins with; its key, its state and the hash of all that follow.
struct Header {
  char magic[8] = {'e', 'd', 'g', 'e', 'k', 'i', 't', '1'};
  uint64_t key = 0, state = 0;  // bytes
};

uint64_t hash_of(const Header &header, const std::string &key, const State &state) {
  return hashed(state.data(), state.size(), hashed(key.data(), key.size(), hashed(&header, sizeof header)));
}

bool get(FILE *file, void *data, size_t size) { return fread(data, 1, size, file) == size; }
bool put(FILE *file, const void *data, size_t size) { return fwrite(data, 1, size, file) == size; }

// Removes what was used longest ago, and what a killed app left half written: it grows old too.
void trim(const std::string &folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> used;
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().rfind(kPrefix, 0) == 0) used.emplace_back(entry.last_write_time(), entry.path());
  std::sort(used.begin(), used.end());
  for (size_t i = 0; i + kMost < used.size(); ++i) fs::remove(used[i].second);
}

bool fill(FILE *file, const std::string &key, const State &state) {
  Header header;
  header.key = key.size();
  header.state = state.size();
  const uint64_t hash = hash_of(header, key, state);
  return put(file, &header, sizeof header) && put(file, key.data(), key.size()) && put(file, state.data(), state.size()) &&
         put(file, &hash, sizeof hash) && !fflush(file) && !fsync(fileno(file));
}

// The state in a file that has the key and ends where it says; sizes are compared before anything is made as large.
State taken(FILE *file, uint64_t size, const std::string &key) {
  const Header fresh;
  Header header;
  uint64_t hash = 0;
  const uint64_t other = sizeof header + key.size() + sizeof hash;
  if (!get(file, &header, sizeof header) || !std::equal(header.magic, header.magic + 8, fresh.magic)) return {};
  if (header.key != key.size() || size < other || header.state != size - other) return {};
  std::string said(key.size(), '\0');
  if (!get(file, said.data(), said.size()) || said != key) return {};
  State state(header.state);
  const bool whole = get(file, state.data(), state.size()) && get(file, &hash, sizeof hash);
  return whole && hash == hash_of(header, key, state) ? state : State();
}

}  // namespace

Stored::Stored(const std::string &folder, std::string key) : folder_(folder), key_(std::move(key)) {
  char name[32];
  snprintf(name, sizeof name, "%s%016llx", kPrefix, static_cast<unsigned long long>(hashed(key_.data(), key_.size())));
  path_ = folder_ + "/" + name;
}

State Stored::read() const try {
  const File file(fopen(path_.c_str(), "rb"));
  if (!file) return {};
  State state = taken(file.get(), fs::file_size(path_), key_);
  if (!state.empty()) fs::last_write_time(path_, fs::file_time_type::clock::now());
  return state;
} catch (const std::exception &) {
  return {};
}

void Stored::write(const State &state) const try {
  if (state.empty()) return;
  fs::create_directories(folder_);
  std::string part = path_ + ".XXXXXX";
  const int handle = mkstemp(part.data());  // another process may write the same one
  if (handle < 0) return;
  bool done = false;
  if (const File file(fdopen(handle, "wb")); file) done = fill(file.get(), key_, state);
  if (!done || rename(part.c_str(), path_.c_str())) unlink(part.c_str());
  trim(folder_);
} catch (const std::exception &) {
}

}  // namespace edgekit
