// Runs calls through language models with llama.cpp, on a phone or in an emulator of its processor. replay.h tells how
// it is started.
//
// LIBRARY is the folder with llama.cpp's libraries of kernels, of which it takes the best that this processor can run.
// A call has "tokens" (int32 [n]), and may have "generate" (int32, a number of tokens). An answer has "logits" (float32
// [n, vocabulary]); and "text" (uint8), what was generated after the tokens, the likeliest token each time, "pieces"
// (int32, how many bytes of it each token gave) and "margins" (float32, by how much each was likelier than the next, in
// logits). An end token ends it, with no bytes.

#include "replay.h"

#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Model = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using Context = std::unique_ptr<llama_context, decltype(&llama_free)>;

constexpr int kSlice = 64;  // positions a call, as exporters/_llama_runner.py has them

template <class T>
calls::Tensor tensor(const char* name, calls::Type type, std::vector<int64_t> shape, const std::vector<T>& values) {
  const auto* data = reinterpret_cast<const char*>(values.data());
  return {name, type, std::move(shape), std::vector<char>(data, data + values.size() * sizeof(T))};
}

std::vector<int32_t> integers(const std::vector<calls::Tensor>& feeds, const std::string& name) {
  for (const auto& feed : feeds) {
    if (feed.name != name) continue;
    if (feed.type != calls::kInt32) throw std::runtime_error("\"" + name + "\" is not of whole numbers");
    std::vector<int32_t> values(feed.data.size() / sizeof(int32_t));
    std::memcpy(values.data(), feed.data.data(), values.size() * sizeof(int32_t));
    return values;
  }
  return {};
}

void decode(llama_context* context, std::vector<llama_token> tokens, int begin, bool all) {
  llama_batch batch = llama_batch_init(static_cast<int32_t>(tokens.size()), 0, 1);
  batch.n_tokens = static_cast<int32_t>(tokens.size());
  for (int i = 0; i < batch.n_tokens; ++i) {
    batch.token[i] = tokens[i];
    batch.pos[i] = begin + i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = all || i + 1 == batch.n_tokens;
  }
  const int status = llama_decode(context, batch);
  llama_batch_free(batch);
  if (status) throw std::runtime_error("llama.cpp could not compute, status " + std::to_string(status));
}

std::vector<calls::Tensor> answer(llama_model* model, int threads, const std::vector<calls::Tensor>& feeds) {
  const auto tokens = integers(feeds, "tokens");
  const auto asked = integers(feeds, "generate");
  const int count = static_cast<int>(tokens.size()), most = asked.empty() ? 0 : asked[0];
  const llama_vocab* vocabulary = llama_model_get_vocab(model);
  const int size = llama_vocab_n_tokens(vocabulary);
  if (!count || most < 0 || most > 4096 || *std::min_element(tokens.begin(), tokens.end()) < 0 ||
      *std::max_element(tokens.begin(), tokens.end()) >= size)
    throw std::runtime_error("the tokens are none of this model's");

  auto settings = llama_context_default_params();
  settings.n_ctx = static_cast<uint32_t>(count + most);
  settings.n_batch = settings.n_ubatch = settings.n_outputs_max = kSlice;
  settings.n_threads = settings.n_threads_batch = threads;
  settings.swa_full = false;
  Context context(llama_init_from_model(model, settings), llama_free);
  if (!context) throw std::runtime_error("llama.cpp could not make a context");

  std::vector<float> logits;
  for (int begin = 0; begin < count; begin += kSlice) {
    const int end = std::min(begin + kSlice, count);
    decode(context.get(), {tokens.begin() + begin, tokens.begin() + end}, begin, true);
    const float* found = llama_get_logits(context.get());
    logits.insert(logits.end(), found, found + static_cast<size_t>(end - begin) * size);
  }
  std::vector<calls::Tensor> told{tensor("logits", calls::kFloat, {count, size}, logits)};

  std::vector<char> text;
  std::vector<int32_t> pieces;
  std::vector<float> margins;
  const float* last = logits.data() + logits.size() - size;
  for (int i = 0; i < most; ++i) {
    const auto token = static_cast<llama_token>(std::max_element(last, last + size) - last);
    float next = -1e30f;
    for (int j = 0; j < size; ++j)
      if (j != token) next = std::max(next, last[j]);
    margins.push_back(last[token] - next);
    char piece[256];
    const bool end = llama_vocab_is_eog(vocabulary, token);
    const int bytes = end ? 0 : llama_token_to_piece(vocabulary, token, piece, sizeof piece, 0, false);
    if (bytes < 0) throw std::runtime_error("a token has more text than there is room for");
    pieces.push_back(bytes);
    text.insert(text.end(), piece, piece + bytes);
    if (end || i + 1 == most) break;
    decode(context.get(), {token}, count + i, false);
    last = llama_get_logits_ith(context.get(), -1);
  }
  if (most) {
    told.push_back(tensor("text", calls::kUint8, {static_cast<int64_t>(text.size())}, text));
    told.push_back(tensor("pieces", calls::kInt32, {static_cast<int64_t>(pieces.size())}, pieces));
    told.push_back(tensor("margins", calls::kFloat, {static_cast<int64_t>(margins.size())}, margins));
  }
  return told;
}

// The kernels that were taken, by the extensions of the processor that they use.
std::string kernels() {
  std::string found = "kernels for";
  for (size_t i = 0; i < ggml_backend_reg_count(); ++i) {
    const auto features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_reg_get(i), "ggml_backend_get_features"));
    if (!features) continue;
    for (const auto* one = features(ggml_backend_reg_get(i)); one->name; ++one)
      if (!std::strcmp(one->value, "1")) found += std::string(" ") + one->name;
  }
  return found;
}

std::string complaint;  // the first line of the log that tells an error

void listen(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR && complaint.empty()) complaint = text;
}

class Part {
 public:
  Part(const char* path, int threads)
      : model_(llama_model_load_from_file(path, llama_model_default_params()), llama_model_free), threads_(threads) {
    if (!model_) throw std::runtime_error("llama.cpp cannot load the model: " + complaint);
  }
  void run(replay::Call& feeds) { last_ = answer(model_.get(), threads_, feeds); }
  std::vector<calls::Tensor> answers() const { return last_; }

 private:
  Model model_;
  int threads_;
  std::vector<calls::Tensor> last_;
};

class Runtime {
 public:
  Runtime(const char* kernels, int threads) : threads_(threads) {
    llama_log_set(listen, nullptr);
    ggml_backend_load_all_from_path(kernels);
    if (!ggml_backend_dev_count()) throw std::runtime_error("there are no kernels for this processor");
  }
  Part open(const char* model) const { return Part(model, threads_); }
  std::string version() const { return kernels(); }

 private:
  int threads_;
};

}  // namespace

int main(int count, char** arguments) { return replay::main<Runtime>(count, arguments); }
