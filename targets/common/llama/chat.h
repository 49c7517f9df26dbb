// A language model in an app, by llama.cpp: text to tokens, a prompt into the cache, the next token. Nothing here knows
// what a conversation is. One thread at a time, but for edgekit_chat_stop.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edgekit_chat edgekit_chat;

enum { EDGEKIT_CHAT_END = -1, EDGEKIT_CHAT_STOPPED = -2, EDGEKIT_CHAT_FAILED = -3, EDGEKIT_CHAT_FULL = -4 };
enum { EDGEKIT_CHAT_TRIED = 9 };

// Maps the weights and makes room for `context` tokens; `small`: with their keys and values in 8 bits, which is about
// half of the memory. NULL where it cannot, with the reason in `why`.
edgekit_chat *edgekit_chat_open(const char *path, int context, int small, int threads, char *why, int room);
void edgekit_chat_close(edgekit_chat *chat);

// Tokens of UTF-8 text. `special`: read control tokens in it as such. `begin`: with the token that begins a text, if the
// model wants one. Returns their number; where that is more than `room`, minus the room that it takes.
int edgekit_chat_tokens(edgekit_chat *chat, const char *text, int length, int special, int begin, int32_t *out, int room);

// The bytes of a token, which may be a part of a character. Returns their number, or minus the room that it takes.
int edgekit_chat_piece(edgekit_chat *chat, int32_t token, char *out, int room);

// How tokens are chosen from now on. A temperature of 0 takes the likeliest.
void edgekit_chat_sampling(edgekit_chat *chat, float temperature, int top_k, float top_p, float min_p, uint32_t seed);

// Has answers keep to a grammar in llama.cpp's form (its rule "root") from the next token on; "": any text. 0, or
// EDGEKIT_CHAT_FAILED where it cannot be read.
int edgekit_chat_grammar(edgekit_chat *chat, const char *grammar);

// Keeps beginnings of prompts in files of `folder` from now on; "": in none. `identity` says which weights and which
// library compute them.
void edgekit_chat_keep(edgekit_chat *chat, const char *folder, const char *identity);

// Has the cache hold these tokens, the beginning of prompts, or more that begin with them: out of their file, or
// computed, and then written. Without a folder, too, they are computed by themselves: sums of other passes round
// otherwise, and answers must not depend on a file. 0, or one of the above; read before asking for a token.
int edgekit_chat_begin(edgekit_chat *chat, const int32_t *tokens, int count);

// Has the cache hold these tokens and no others; what it holds already is not computed again. 0, or one of the above.
int edgekit_chat_read(edgekit_chat *chat, const int32_t *tokens, int count);

// The next token, which is then in the cache; or one of the above.
int32_t edgekit_chat_next(edgekit_chat *chat);

// The next token, which is not in the cache yet; or one of the above.
int32_t edgekit_chat_choose(edgekit_chat *chat);

// Whether edgekit_chat_try may guess now: tokens are the likeliest, any text goes, and the model can forget a part.
int edgekit_chat_guesses(const edgekit_chat *chat);

// Adds the token that was chosen and guesses at those after it, `count` in all, EDGEKIT_CHAT_TRIED at most, in one pass;
// the first guess that the model would not have chosen and those after it are taken back. Returns how many of the tokens
// are kept, 1 or more; or one of the above.
int edgekit_chat_try(edgekit_chat *chat, const int32_t *tokens, int count);

// Tokens that were computed since it was opened, and in how many passes over the model.
int64_t edgekit_chat_computed(const edgekit_chat *chat);
int64_t edgekit_chat_passes(const edgekit_chat *chat);

// By how many logits the likeliest next token beats the best one with which `text` goes on; infinite if there is none.
float edgekit_chat_margin(edgekit_chat *chat, const char *text, int length);

// From any thread: whether to end what is computed now, inside of a token too.
void edgekit_chat_stop(edgekit_chat *chat, int stop);

#ifdef __cplusplus
}
#endif
