#include "deflate.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <memory>
#include <new>

#include "deflate_block.hpp"
#include "deflate_matches.hpp"
#include "deflate_parse.hpp"

namespace chromapress {
namespace {

// Each stretch is parsed with the costs that the ones before it suggest; the first one twice. What `finder` finds is
// left in `matches` where it is kept, else only as much as a stretch needs: memory costs time as well.
std::vector<Token> first_parse(std::span<const std::uint8_t> data, std::size_t first, std::size_t size,
                               MatchFinder& finder, Matches& matches, bool keep) {
  constexpr std::size_t kStretch = 8192;  // bytes
  constexpr std::size_t kMemory = 6000;   // tokens
  std::vector<Token> tokens;
  CodeCounts counts;
  Costs costs = first_costs(data.subspan(first, size));
  const std::size_t end = first + size;
  std::size_t counted = 0, found_from = first, found_to = first;
  matches.reset(keep ? size : kStretch + kMaxMatch);
  for (std::size_t at = first; at < end;) {
    const std::size_t begin = tokens.size(), stop = std::min(at + kStretch, end);
    // Beyond the stretch, so that its end cuts no match short.
    const std::size_t parsed = std::min(stop + kMaxMatch, end);
    if (!keep) {
      matches.drop(at - found_from);
      found_from = at;
    }
    finder.append(parsed - found_to, matches);
    found_to = parsed;
    parse(data, at, parsed, matches, found_from, costs, tokens);
    std::size_t kept = begin, reached = at;
    for (; reached < stop; ++kept) {
      counts.add(tokens[kept]);
      reached += tokens[kept].bytes();
    }
    const bool again = counted == 0;
    counted += kept - begin;
    if (counted > kMemory) {
      for (std::uint32_t& c : counts.literals) c /= 2;
      for (std::uint32_t& c : counts.distances) c /= 2;
      counted /= 2;
    }
    costs = costs_of(counts, true);
    tokens.resize(again ? begin : kept);
    if (!again) at = reached;
  }
  return tokens;
}

// Other counts, from which another parse may start: one in a dozen is replaced by another one. A parse whose costs are
// those of the parse before soon returns to itself.
class Disturbance {
 public:
  void operator()(CodeCounts& counts) {
    disturb(counts.literals);
    disturb(counts.distances);
  }

 private:
  void disturb(std::span<std::uint32_t> counts) {
    for (std::uint32_t& c : counts) {
      if (below(12) == 0) c = counts[below(counts.size())];
    }
  }
  // Marsaglia's xorshift: the same numbers everywhere.
  std::size_t below(std::size_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>((state_ >> 32) * n >> 32);
  }
  std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace

std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> data, int level) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  std::vector<std::uint8_t> out(libdeflate_zlib_compress_bound(compressor.get(), data.size()));
  out.resize(libdeflate_zlib_compress(compressor.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
}

std::vector<std::uint8_t> deflate_small(std::span<const std::uint8_t> data, const Trials& trials) {
  if (data.empty()) return deflate(data, 1);
  // Costs of a parse are 32-bit sums, and memory is bounded by the piece, not by the image.
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::vector<std::uint8_t> out = {0x78, 0xda};
  BitWriter writer(out);
  MatchFinder finder(data, trials.depth, trials.long_match);
  Matches matches;
  for (std::size_t first = 0; first < data.size(); first += kPiece) {
    const std::size_t size = std::min(kPiece, data.size() - first);
    std::vector<Token> best = first_parse(data, first, size, finder, matches, trials.passes > 1), tokens, better;
    std::vector<std::size_t> best_ends = block_ends(best, trials.places), ends;
    if (trials.passes > 1) tokens = best, ends = best_ends;
    std::size_t least = trials.passes > 1 ? bits_of(tokens, ends, trials.headers) : 0, last = least;
    // More data would need more passes than there are for this to pay.
    constexpr std::size_t kDisturbed = std::size_t{1} << 16;
    Disturbance disturb;
    bool disturbed = false;
    for (std::size_t pass = 1; pass < trials.passes; ++pass) {
      better.clear();
      std::size_t begin = 0, at = first;
      for (const std::size_t end : ends) {
        CodeCounts counts;
        std::size_t bytes = 0;
        for (; begin < end; ++begin) counts.add(tokens[begin]), bytes += tokens[begin].bytes();
        if (disturbed) disturb(counts);
        parse(data, at, at + bytes, matches, first, costs_of(counts, true), better);
        at += bytes;
      }
      tokens.swap(better);
      ends = block_ends(tokens, trials.places);
      const std::size_t bits = bits_of(tokens, ends, trials.headers);
      if (bits < least) least = bits, best = tokens, best_ends = ends;
      disturbed = size <= kDisturbed && !disturbed && bits >= last;
      last = bits;
      if (disturbed) tokens = best, ends = best_ends;
    }
    std::size_t begin = 0;
    for (const std::size_t end : best_ends) {
      write_block(writer, std::span(best).subspan(begin, end - begin), trials.headers,
                  end == best.size() && first + size == data.size());
      begin = end;
    }
  }
  writer.finish();
  const std::uint32_t sum = libdeflate_adler32(1, data.data(), data.size());
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(sum >> shift));
  // Blocks with fixed codes and stored blocks, which are not tried above, are for the smallest images only.
  constexpr std::size_t kSmall = std::size_t{1} << 12;
  if (data.size() > kSmall * trials.passes) return out;
  std::vector<std::uint8_t> other = deflate(data, 12);
  return other.size() < out.size() ? other : out;
}

}  // namespace chromapress
