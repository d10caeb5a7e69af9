// Better starting centres: K-means over boxes of colours, with moves that Lloyd's algorithm cannot make.
//
// Lloyd stops at the first local minimum. Here, between its passes, pairs of centres that cost little together are
// merged and the centres set free are put where a cluster gains most by being split (after the utility idea of Patane
// and Russo, "The enhanced LBG algorithm", Neural Networks 14, 2001), and the steps to the means are longer than
// Lloyd's. Where the pixels are many beside the colours, swaps are also tried one by one and kept if they help. All but
// the last passes are over few points that stand for the colours.
#pragma once

#include <span>
#include <vector>

#include "box_tree.hpp"
#include "nearest.hpp"

namespace chromapress {

class Refinement {
 public:
  /// For each of `ks` centres; the tree must outlive it.
  Refinement(const BoxTree& tree, std::span<const std::size_t> ks);

  /// Moves the centres from `first` on; their number, one of the `ks`, stays.
  void operator()(std::vector<Centre>& centres, std::size_t first) const;

 private:
  [[nodiscard]] const Points& points_for(std::size_t k) const;
  [[nodiscard]] std::size_t trials_for(const Points& points, std::size_t k) const;

  const BoxTree& tree_;
  Points leaves_, halves_, colors_;  // the latter two only where a k needs them
};

}  // namespace chromapress
