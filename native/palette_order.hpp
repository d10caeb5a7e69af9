// The order of a palette's entries that lets row filters and DEFLATE do best.
//
// Entries that are often neighbours in the image get numbers that are near to each other: first Zeng's greedy chain
// (Zeng, Li and Lei, "An efficient color re-indexing scheme for palette-based compression", ICIP 2000), then swaps that
// lower the sum of C(i,j) * log2(1 + |i - j| / 4), about the bits that the differences cost, then simulated annealing
// on the same sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

struct OrderSearch {
  std::size_t row_step = 1;   // every how manieth row is counted
  std::size_t sweeps = 1;     // over all pairs of entries, at most
  std::size_t proposals = 0;  // of swaps, while annealing
};

/// order[position] = entry: a permutation of 0 to k - 1 in which the first `head` entries stay among themselves.
/// `indices` are below k, row-major of `width`.
std::vector<std::uint8_t> palette_order(std::span<const std::uint8_t> indices, std::size_t width, std::size_t k,
                                        std::size_t head, const OrderSearch& search);

}  // namespace chromapress
