#include "chat.h"

#include <llama.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "processor.h"
#include "sampling.h"
#include "stored.h"

namespace {

constexpr int kBatch = 2048, kPass = 512;  // as edgekit's Python has them: the same sums in the same order

std::mutex said_lock;
std::string said;  // the first error that the library told

void listen(ggml_log_level level, const char *text, void *) {
  const std::lock_guard<std::mutex> held(said_lock);
  if (level == GGML_LOG_LEVEL_ERROR && said.empty()) said = text;
}

edgekit_chat *failed(const std::string &reason, char *why, int room) {
  if (room > 0) std::snprintf(why, static_cast<size_t>(room), "%s", reason.c_str());
  return nullptr;
}

bool stopping(void *flag) { return static_cast<std::atomic<bool> *>(flag)->load(std::memory_order_relaxed); }

}  // namespace

struct edgekit_chat {
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model{nullptr, llama_model_free};
  std::unique_ptr<llama_context, decltype(&llama_free)> context{nullptr, llama_free};
  edgekit::Sampling sampling;
  edgekit::Sampler free{nullptr, llama_sampler_free}, strict{nullptr, llama_sampler_free};  // without and with the grammar
  llama_sampler *grammar = nullptr;  // a part of `strict`
  const llama_vocab *vocabulary = nullptr;
  bool small = false;  // keys and values have 8 bits
  std::string folder, identity;  // of beginnings that are kept
  std::vector<int32_t> held;     // what is in the cache
  int row = -1;                  // of the last pass, whose logits decide the next token; -1: none
  int64_t computed = 0, passes = 0;
  std::atomic<bool> stop{false};

  void forget() {
    llama_memory_clear(llama_get_memory(context.get()), false);
    held.clear();
    row = -1;
  }

  bool begins_with(const int32_t *tokens, int count) const {
    return held.size() >= static_cast<size_t>(count) && std::equal(tokens, tokens + count, held.begin());
  }

  // What a beginning's state depends on. Kernels of another processor round otherwise.
  std::string key(const int32_t *tokens, int count) const {
    std::string key = identity + '\n' + llama_print_system_info() + '\n' + std::to_string(llama_n_ctx(context.get()));
    key += small ? " q8_0\n" : " f16\n";
    return key.append(reinterpret_cast<const char *>(tokens), static_cast<size_t>(count) * sizeof *tokens);
  }

  // Of all that is held; empty where there is no memory for it.
  edgekit::State state() try {
    edgekit::State state(llama_state_seq_get_size(context.get(), 0));
    state.resize(llama_state_seq_get_data(context.get(), state.data(), state.size(), 0));
    return state;
  } catch (const std::bad_alloc &) {
    return {};
  }

  // Whether the tokens are held out of their state; else nothing is.
  bool restore(const edgekit::State &state, const int32_t *tokens, int count) {
    forget();
    if (state.empty() || !llama_state_seq_set_data(context.get(), state.data(), state.size(), 0)) return false;
    if (llama_memory_seq_pos_max(llama_get_memory(context.get()), 0) == count - 1) {
      held.assign(tokens, tokens + count);
      return true;
    }
    forget();
    return false;
  }

  // Without the grammar. The library's samplers copy the vocabulary first, which the likeliest token does not need.
  llama_token freely(int at) {
    if (sampling.temperature > 0) return llama_sampler_sample(free.get(), context.get(), at);
    const float *logits = llama_get_logits_ith(context.get(), at);
    return static_cast<llama_token>(std::max_element(logits, logits + llama_vocab_n_tokens(vocabulary)) - logits);
  }

  // As edgekit's Python does it: the whole vocabulary is compared with the grammar only where the choice without it
  // breaks it.
  llama_token choose() {
    const llama_token token = freely(row);
    if (!grammar) return token;
    llama_token_data alone{token, 1.0f, 0.0f};
    llama_token_data_array single{&alone, 1, -1, false};
    llama_sampler_apply(grammar, &single);
    if (!(alone.logit > 0)) return llama_sampler_sample(strict.get(), context.get(), row);  // which accepts it, too
    llama_sampler_accept(strict.get(), token);
    return token;
  }

  // Forgets all but the first `count` tokens; or all, where the model cannot forget a part.
  void keep(size_t count) {
    if (count >= held.size()) return;
    llama_memory_t memory = llama_get_memory(context.get());
    const size_t window = static_cast<size_t>(std::max(0, llama_model_n_swa(model.get())));
    const llama_pos needed = static_cast<llama_pos>(count > window ? count - window : 0);
    const bool removed = llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(count), -1);
    const bool outran = window && window < held.size() && llama_memory_seq_pos_min(memory, 0) > needed;
    if (removed && !outran)
      held.resize(count);
    else
      forget();
  }

  // Adds tokens, with the logits of the last or of all.
  int decode(const int32_t *tokens, int count, bool all = false) {
    if (held.size() + static_cast<size_t>(count) > llama_n_ctx(context.get())) return EDGEKIT_CHAT_FULL;
    llama_batch batch = llama_batch_init(count, 0, 1);
    batch.n_tokens = count;
    for (int i = 0; i < count; ++i) {
      batch.token[i] = tokens[i];
      batch.pos[i] = static_cast<llama_pos>(held.size()) + i;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = 0;
      batch.logits[i] = all || i == count - 1;
    }
    const int status = llama_decode(context.get(), batch);
    llama_batch_free(batch);
    if (status) forget();
    if (status == 2) return EDGEKIT_CHAT_STOPPED;
    if (status) return EDGEKIT_CHAT_FAILED;
    held.insert(held.end(), tokens, tokens + count);
    row = count - 1;
    computed += count;
    ++passes;
    return 0;
  }
};

edgekit_chat *edgekit_chat_open(const char *path, int context, int small, int threads, char *why, int room) {
  if (*edgekit::lacking()) return failed(std::string("this processor lacks ") + edgekit::lacking(), why, room);
  {
    const std::lock_guard<std::mutex> lock(said_lock);
    said.clear();
  }
  llama_log_set(listen, nullptr);
  llama_backend_init();
  auto chat = std::make_unique<edgekit_chat>();
  llama_model_params loading = llama_model_default_params();
  loading.n_gpu_layers = 0;
  chat->model.reset(llama_model_load_from_file(path, loading));
  if (chat->model) {
    llama_context_params settings = llama_context_default_params();
    settings.n_ctx = static_cast<uint32_t>(context);
    settings.n_batch = kBatch;
    settings.n_ubatch = kPass;
    settings.n_outputs_max = EDGEKIT_CHAT_TRIED;
    settings.n_threads = settings.n_threads_batch = threads;
    settings.swa_full = false;
    if (small) settings.type_k = settings.type_v = GGML_TYPE_Q8_0;
    settings.abort_callback = stopping;
    settings.abort_callback_data = &chat->stop;
    chat->context.reset(llama_init_from_model(chat->model.get(), settings));
  }
  const std::lock_guard<std::mutex> lock(said_lock);
  if (!chat->context) return failed(said.empty() ? "the model cannot be loaded" : said, why, room);
  chat->vocabulary = llama_model_get_vocab(chat->model.get());
  chat->small = small != 0;
  edgekit_chat_sampling(chat.get(), 0, 0, 1, 0, 0);
  return chat.release();
}

void edgekit_chat_close(edgekit_chat *chat) { delete chat; }

int edgekit_chat_tokens(edgekit_chat *chat, const char *text, int length, int special, int begin, int32_t *out, int room) {
  const bool first = begin && llama_vocab_get_add_bos(chat->vocabulary) && llama_vocab_bos(chat->vocabulary) >= 0;
  if (first && room > 0) *out = llama_vocab_bos(chat->vocabulary);
  const int taken = first ? 1 : 0;
  const int left = std::max(0, room - taken);
  const int count = llama_tokenize(chat->vocabulary, text, length, out + (left ? taken : 0), left, false, special != 0);
  return count < 0 ? count - taken : count + taken;
}

int edgekit_chat_piece(edgekit_chat *chat, int32_t token, char *out, int room) {
  return llama_token_to_piece(chat->vocabulary, token, out, room, 0, false);
}

void edgekit_chat_sampling(edgekit_chat *chat, float temperature, int top_k, float top_p, float min_p, uint32_t seed) {
  chat->sampling = {temperature, top_k, top_p, min_p, seed};
  chat->free = chat->sampling.chain(nullptr);
}

int edgekit_chat_grammar(edgekit_chat *chat, const char *grammar) {
  chat->strict.reset();
  chat->grammar = nullptr;
  if (!*grammar) return 0;
  chat->grammar = llama_sampler_init_grammar(chat->vocabulary, grammar, "root");
  if (!chat->grammar) return EDGEKIT_CHAT_FAILED;
  chat->strict = chat->sampling.chain(chat->grammar);
  return 0;
}

void edgekit_chat_keep(edgekit_chat *chat, const char *folder, const char *identity) {
  chat->folder = folder;
  chat->identity = identity;
}

int edgekit_chat_begin(edgekit_chat *chat, const int32_t *tokens, int count) {
  if (count < 1 || chat->begins_with(tokens, count)) return 0;
  if (chat->folder.empty()) return edgekit_chat_read(chat, tokens, count);
  const edgekit::Stored file(chat->folder, chat->key(tokens, count));
  if (chat->restore(file.read(), tokens, count)) return 0;
  if (const int status = edgekit_chat_read(chat, tokens, count)) return status;
  file.write(chat->state());
  return 0;
}

int edgekit_chat_read(edgekit_chat *chat, const int32_t *tokens, int count) {
  if (count < 1) return EDGEKIT_CHAT_FAILED;
  size_t common = 0;  // the last is computed anew: its logits are wanted
  while (common < chat->held.size() && common + 1 < static_cast<size_t>(count) && chat->held[common] == tokens[common])
    ++common;
  chat->keep(common);
  for (int at = static_cast<int>(chat->held.size()); at < count; at += kBatch)
    if (const int status = chat->decode(tokens + at, std::min(kBatch, count - at))) return status;
  return 0;
}

int32_t edgekit_chat_choose(edgekit_chat *chat) {
  if (chat->row < 0) return EDGEKIT_CHAT_FAILED;
  if (stopping(&chat->stop)) return EDGEKIT_CHAT_STOPPED;
  const int32_t token = chat->choose();
  return llama_vocab_is_eog(chat->vocabulary, token) ? EDGEKIT_CHAT_END : token;
}

int32_t edgekit_chat_next(edgekit_chat *chat) {
  const int32_t token = edgekit_chat_choose(chat);
  const int status = token < 0 ? token : chat->decode(&token, 1);
  return status ? status : token;
}

int edgekit_chat_guesses(const edgekit_chat *chat) {
  const llama_model *model = chat->model.get();
  const bool forgets = !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model) && !llama_model_n_swa(model);
  return forgets && !chat->grammar && !(chat->sampling.temperature > 0);
}

int edgekit_chat_try(edgekit_chat *chat, const int32_t *tokens, int count) {
  if (count < 1 || count > EDGEKIT_CHAT_TRIED) return EDGEKIT_CHAT_FAILED;
  const size_t before = chat->held.size();
  if (const int status = chat->decode(tokens, count, true)) return status;
  int kept = 1;
  for (; kept < count; ++kept) {
    const int32_t token = llama_sampler_sample(chat->free.get(), chat->context.get(), kept - 1);
    if (token != tokens[kept] || llama_vocab_is_eog(chat->vocabulary, token)) break;
  }
  chat->keep(before + static_cast<size_t>(kept));
  if (chat->held.empty()) return EDGEKIT_CHAT_FAILED;
  chat->row = kept - 1;
  return kept;
}

int64_t edgekit_chat_computed(const edgekit_chat *chat) { return chat->computed; }
int64_t edgekit_chat_passes(const edgekit_chat *chat) { return chat->passes; }

float edgekit_chat_margin(edgekit_chat *chat, const char *text, int length) {
  const float *logits = chat->row < 0 ? nullptr : llama_get_logits_ith(chat->context.get(), chat->row);
  if (!logits) return INFINITY;
  const int size = llama_vocab_n_tokens(chat->vocabulary);
  float best = -INFINITY;
  std::vector<char> piece(512);
  for (int token = 0; token < size; ++token) {
    if (logits[token] <= best) continue;
    const int count = edgekit_chat_piece(chat, token, piece.data(), static_cast<int>(piece.size()));
    if (count > 0 && count <= length && !std::memcmp(piece.data(), text, static_cast<size_t>(count))) best = logits[token];
  }
  return *std::max_element(logits, logits + size) - best;
}

void edgekit_chat_stop(edgekit_chat *chat, int stop) { chat->stop.store(stop != 0); }
