#include "deflate.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <memory>
#include <new>

#include "deflate_block.hpp"
#include "deflate_matches.hpp"
#include "deflate_parse.hpp"

namespace chromapress {

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
  MatchFinder finder(data, trials.depth);
  Matches matches;
  for (std::size_t first = 0; first < data.size(); first += kPiece) {
    const std::size_t size = std::min(kPiece, data.size() - first);
    finder.find(size, matches);
    std::vector<Token> tokens, better;
    parse(data, first, first + size, matches, first, first_costs(data.subspan(first, size)), tokens);
    for (std::size_t pass = 1; pass < trials.passes; ++pass) {
      better.clear();
      std::size_t begin = 0, at = first;
      for (const std::size_t end : block_ends(tokens)) {
        CodeCounts counts;
        std::size_t bytes = 0;
        for (; begin < end; ++begin) counts.add(tokens[begin]), bytes += tokens[begin].bytes();
        parse(data, at, at + bytes, matches, first, costs_of(counts), better);
        at += bytes;
      }
      tokens.swap(better);
    }
    std::size_t begin = 0;
    for (const std::size_t end : block_ends(tokens)) {
      write_block(writer, std::span(tokens).subspan(begin, end - begin),
                  end == tokens.size() && first + size == data.size());
      begin = end;
    }
  }
  writer.finish();
  const std::uint32_t sum = libdeflate_adler32(1, data.data(), data.size());
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(sum >> shift));
  // Blocks with fixed codes and stored blocks, which are not tried above, are for the smallest images only.
  constexpr std::size_t kSmall = std::size_t{1} << 16;
  if (data.size() > kSmall) return out;
  std::vector<std::uint8_t> other = deflate(data, 12);
  return other.size() < out.size() ? other : out;
}

}  // namespace chromapress
