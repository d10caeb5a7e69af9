// Better starting centres: K-means over boxes of colours, with moves that Lloyd's algorithm cannot make.
//
// Lloyd stops at the first local minimum. Here, between its passes, pairs of centres that cost little together are
// merged and the centres set free are put where a cluster gains most by being split (after the utility idea of Patane
// and Russo, "The enhanced LBG algorithm", Neural Networks 14, 2001), and the steps to the means are longer than
// Lloyd's. Where the pixels are many beside the colours, swaps are also tried one by one and kept if they help. All but
// the last passes are over few points that stand for the colours.
#pragma once

#include <vector>

#include "box_tree.hpp"
#include "nearest.hpp"

namespace chromapress {

class Refinement {
 public:
  /// For at most so many centres; the tree must outlive it.
  Refinement(const BoxTree& tree, std::size_t most);

  /// Moves the centres from `first` on; their number, at most `most`, stays.
  void operator()(std::vector<Centre>& centres, std::size_t first) const;

  /// The same for centres that come of merging the clusters of a fine clustering, `coarse`, over which swaps are tried:
  /// as good, a percent more or less, in a fraction of the time. The last pass, over the colours, is left to the
  /// caller.
  void quick(std::vector<Centre>& centres, std::size_t first, const Points& coarse) const;

 private:
  [[nodiscard]] const Points& points_for(std::size_t k) const;
  [[nodiscard]] std::size_t trials_for(const Points& points, std::size_t k) const;

  const BoxTree& tree_;
  Points leaves_, halves_, colors_;  // the latter two only where `most` needs them
};

}  // namespace chromapress
